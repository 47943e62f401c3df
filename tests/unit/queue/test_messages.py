"""A message is read to the letter or refused."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.domain.identifiers import GrantId, new_id
from shared.queue.messages import MessageKind, MessageRefusedError, RefreshMessage

GOOD: dict[str, Any] = {
    "version": 1,
    "kind": "refresh_due",
    "grant_id": "01936f0e-0000-7000-8000-000000000001",
    "pair_generation": 7,
}


@pytest.mark.parametrize("kind", list(MessageKind))
def test_what_is_encoded_is_decoded(kind: MessageKind) -> None:
    message = RefreshMessage.about(kind, GrantId(new_id()), 7)

    assert RefreshMessage.decode(message.encode()) == message
    assert set(json.loads(message.encode())) == set(GOOD)


@pytest.mark.parametrize(
    "changed",
    [
        {"version": 2},
        {"version": "1"},
        {"kind": "end_grant"},
        {"grant_id": "7"},
        {"grant_id": None},
        {"pair_generation": 0},
        {"pair_generation": "7"},
        {"pair_generation": 1.5},
        {"pair_generation": True},
        {"access_token": "canary"},
    ],
)
def test_a_message_with_anything_wrong_is_refused_without_a_value(changed: dict[str, Any]) -> None:
    with pytest.raises(MessageRefusedError) as caught:
        RefreshMessage.decode(json.dumps({**GOOD, **changed}))

    assert "canary" not in str(caught.value)
    assert next(iter(changed)) in str(caught.value)


@pytest.mark.parametrize("missing", list(GOOD))
def test_a_message_without_a_member_is_refused(missing: str) -> None:
    with pytest.raises(MessageRefusedError):
        RefreshMessage.decode(json.dumps({key: GOOD[key] for key in GOOD if key != missing}))


def test_a_long_body_is_not_even_read() -> None:
    with pytest.raises(MessageRefusedError, match="too long"):
        RefreshMessage.decode(json.dumps({**GOOD, "padding": "x" * 2_000}))


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200))
def test_no_text_whatever_is_an_error_of_another_kind(body: str) -> None:
    with pytest.raises(MessageRefusedError):
        RefreshMessage.decode(body)
