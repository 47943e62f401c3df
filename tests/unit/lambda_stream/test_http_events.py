import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.lambda_stream.http_events import (
    PRELUDE_END,
    ResponseHead,
    asgi_scope,
    buffered_answer,
    request_body,
)


def _event(**fields: Any) -> dict[str, Any]:
    http = {"method": "GET", "path": "/", "sourceIp": "192.0.2.1"}
    return {"version": "2.0", "rawPath": "/", "requestContext": {"http": http}} | fields


def _scope(**fields: Any) -> dict[str, Any]:
    return asgi_scope(_event(**fields), context="context", state={"a": 1})


def test_a_request_becomes_an_asgi_scope() -> None:
    scope = _scope(
        rawPath="/a%20b/%C3%A9",
        rawQueryString="q=%20&q=2",
        headers={"Host": "mcp.example", "X-One": "1"},
        cookies=["a=1", "b=2"],
    )

    assert scope["path"] == "/a b/é"
    assert scope["raw_path"] == b"/a%20b/%C3%A9"
    assert scope["query_string"] == b"q=%20&q=2"
    assert (b"x-one", b"1") in scope["headers"]
    assert (b"cookie", b"a=1; b=2") in scope["headers"]
    assert scope["client"] == ("192.0.2.1", 0)
    assert scope["server"] == ("mcp.example", 443)
    assert scope["scheme"] == "https"
    assert scope["state"] == {"a": 1}
    assert scope["aws.context"] == "context"


@pytest.mark.parametrize(
    ("headers", "server"),
    [
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}, ("127.0.0.1", 8000)),
        ({"host": "a", "x-forwarded-proto": "http"}, ("a", 80)),
        ({"host": "a", "x-forwarded-port": "8443"}, ("a", 8443)),
        ({"host": "a:²", "x-forwarded-port": "²"}, ("a", 443)),
        ({}, ("localhost", 443)),
    ],
)
def test_the_server_is_what_the_caller_addressed(
    headers: dict[str, str], server: tuple[str, int]
) -> None:
    assert _scope(headers=headers)["server"] == server


@given(st.text(), st.text())
def test_no_header_or_cookie_of_a_caller_breaks_the_request(value: str, cookie: str) -> None:
    headers = dict(_scope(headers={"X-Any": value}, cookies=[cookie])["headers"])

    assert set(headers) == {b"x-any", b"cookie"}
    if value.isascii():
        assert headers[b"x-any"] == value.encode("ascii")


def test_a_header_beyond_latin_1_keeps_its_bytes() -> None:
    assert (b"x-name", "✓ é".encode()) in _scope(headers={"x-name": "✓ é"})["headers"]


def test_a_missing_body_is_empty() -> None:
    assert request_body(_event()) == b""


@given(st.text())
def test_a_text_body_is_utf_8(text: str) -> None:
    assert request_body(_event(body=text, isBase64Encoded=False)) == text.encode()


@given(st.binary())
def test_a_binary_body_is_decoded(body: bytes) -> None:
    encoded = base64.b64encode(body).decode()

    assert request_body(_event(body=encoded, isBase64Encoded=True)) == body


@given(st.binary())
def test_a_buffered_answer_carries_every_byte(body: bytes) -> None:
    answer = buffered_answer(ResponseHead(200, (), ()), body)

    assert request_body(answer) == body


def _head(*headers: tuple[bytes, bytes], status: int = 200) -> ResponseHead:
    return ResponseHead.from_asgi({"status": status, "headers": headers})


def test_a_prelude_is_json_and_eight_zero_bytes() -> None:
    prelude = _head((b"X-A", b"1"), (b"x-a", b"2"), (b"set-cookie", b"c=1; Secure")).as_prelude()

    payload, end = prelude[:-8], prelude[-8:]
    assert end == PRELUDE_END == b"\0" * 8
    assert json.loads(payload) == {
        "statusCode": 200,
        "headers": {"x-a": "1, 2"},
        "cookies": ["c=1; Secure"],
    }


def test_headers_of_one_connection_are_dropped() -> None:
    head = _head((b"Transfer-Encoding", b"chunked"), (b"connection", b"close"), (b"a", b"b"))

    assert head.headers == (("a", "b"),)


@pytest.mark.parametrize(
    ("method", "status", "allowed"),
    [
        ("GET", 200, True),
        ("POST", 202, True),
        ("GET", 307, True),
        ("GET", 204, False),
        ("GET", 304, False),
        ("HEAD", 200, False),
    ],
)
def test_http_decides_whether_there_may_be_a_body(
    method: str, status: int, *, allowed: bool
) -> None:
    assert _head(status=status).allows_body(method) is allowed
