import json
import uuid
from dataclasses import dataclass, field
from http import HTTPStatus
from uuid import UUID

import pytest

from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability.redaction import (
    ITEMS_MAX,
    REDACTED,
    TEXT_CHARACTERS_MAX,
    redact,
    redact_text,
)
from tests.unit.observability import canaries


@pytest.mark.parametrize("name", canaries.ALL)
def test_a_secret_in_text_is_removed(name: str) -> None:
    text, secret = canaries.ALL[name]

    clean = redact_text(f"before {text} after")

    assert secret not in clean
    assert "before" in clean
    assert REDACTED in clean


@pytest.mark.parametrize("name", canaries.ALL)
def test_a_secret_is_removed_however_deep_it_stands(name: str) -> None:
    text, secret = canaries.ALL[name]

    clean = redact({"a": [{"b": (text, {text})}, text.encode(), bytearray(text.encode())]})

    assert secret not in json.dumps(clean)


@pytest.mark.parametrize(
    "key",
    [
        "authorization",
        "Cookie",
        "set-cookie",
        "code",
        "state",
        "client_secret",
        "upstream_access_token",
        "X-Amz-Security-Token",
        "__Host-browser",
        b"authorization",
    ],
)
def test_a_value_is_removed_for_its_name_alone(key: object) -> None:
    assert "plainword" not in json.dumps(redact({key: "plainword"}))
    assert "plainword" not in json.dumps(redact([(key, "plainword")]))


def test_a_secret_used_as_a_key_is_removed() -> None:
    assert canaries.JWT not in json.dumps(redact({canaries.JWT: 1}))


def test_error_codes_and_numbers_stay_readable() -> None:
    facts = {"code": ErrorCode.INVALID_GRANT, "state": None, "has_refresh_token": True}

    assert redact(facts) == {"code": "invalid_grant", "state": None, "has_refresh_token": True}
    assert redact_text('{"code": "invalid_grant"}') == '{"code": "invalid_grant"}'
    assert redact({"code": -32603}) == {"code": -32603}


def test_ordinary_text_is_left_alone() -> None:
    for text in (
        "statement timed out after 3000 ms",
        "GET https://site.example/jsonrpc?page=2 answered 503",
        "the encoder refused unicode=7; decode failed",
        "the token endpoint answered",
        "018f6e1c-7d3a-7c12-9a53-0242ac120002",
    ):
        assert redact_text(text) == text


def test_fields_that_a_dataclass_keeps_out_of_its_repr_are_not_shown() -> None:
    @dataclass
    class Row:
        name: str
        sealed: bytes = field(repr=False)

    pair = UpstreamPair(
        access_token="a1", refresh_token="r1", life_seconds=3, subject=UpstreamSubject("7")
    )

    assert redact(Row("x", b"secret")) == {"name": "x"}
    assert redact(pair) == {"life_seconds": 3, "subject": "7"}


def test_an_exception_is_shown_by_type_and_catalogue_facts_only() -> None:
    error = ServiceError({"status": 503, "url": f"https://a/?code={canaries.OPAQUE}"})

    assert redact(ValueError("anything")) == {"type": "ValueError"}
    assert redact(error) == {
        "type": "ServiceError",
        "error_code": "internal_error",
        "facts": {"status": 503, "url": f"https://a/?code={REDACTED}"},
    }


def test_whatever_comes_in_comes_out_as_json() -> None:
    odd = {
        "nan": float("nan"),
        "set": {1},
        "bytes": b"\xff\x00",
        "id": UUID(int=7),
        "status": HTTPStatus.OK,
        "kind": dataclass,
        "member": uuid.SafeUUID.unknown,
        "memory": memoryview(b"ab"),
        3: None,
    }

    assert json.loads(json.dumps(redact(odd), allow_nan=False))["id"] == str(UUID(int=7))


def test_size_and_depth_are_bounded() -> None:
    endless: list[object] = []
    endless.append(endless)

    assert "too deep" in json.dumps(redact(endless))
    assert len(redact_text("x" * 1_000_000)) < TEXT_CHARACTERS_MAX + 100
    assert len(json.loads(json.dumps(redact(list(range(10_000)))))) == ITEMS_MAX


@pytest.mark.timeout(10)
@pytest.mark.parametrize("unit", ["a", "=", "eyJ", "code=", '"', "\\", "bearer ", "://a:", "%3D"])
def test_hostile_text_does_not_hold_up_the_log(unit: str) -> None:
    clean = redact_text(unit * (1_000_000 // len(unit)))

    assert len(clean) < TEXT_CHARACTERS_MAX + 100
