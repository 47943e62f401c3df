import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.lambda_emulator.http_connection import RequestHead
from scripts.lambda_emulator.url_events import (
    Caller,
    UrlAnswer,
    buffered_answer,
    request_event,
    streamed_answer,
    with_challenge_renamed,
)
from shared.lambda_stream.http_events import (
    PRELUDE_END,
    ResponseHead,
    asgi_scope,
    request_body,
)
from shared.lambda_stream.http_events import buffered_answer as whole_answer

CALLER = Caller("127.0.0.1", "127.0.0.1", 8000)
header_values = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1)


@given(st.binary(), st.sampled_from(["application/json", "text/plain", "image/png", ""]))
def test_a_body_survives_the_event(body: bytes, content_type: str) -> None:
    request = RequestHead("POST", "/", [(b"content-type", content_type.encode())])

    assert request_body(request_event(request, body, CALLER)) == body


@given(header_values)
def test_a_header_survives_the_event(value: str) -> None:
    request = RequestHead("GET", "/a?b=c", [(b"X-Name", value.encode())])

    scope = asgi_scope(request_event(request, b"", CALLER), context=None, state={})

    assert (b"x-name", value.encode()) in scope["headers"]
    assert (scope["path"], scope["query_string"]) == ("/a", b"b=c")


@given(st.binary(), header_values)
def test_an_answer_survives_both_shapes(body: bytes, value: str) -> None:
    head = ResponseHead(201, (("x-name", value), ("content-type", "text/plain")), ("a=1",))
    expected = [("x-name", value), ("content-type", "text/plain"), ("set-cookie", "a=1")]

    buffered = buffered_answer(json.dumps(whole_answer(head, body)).encode())
    prelude = head.as_prelude().removesuffix(PRELUDE_END)
    streamed = streamed_answer(prelude, body)

    assert buffered == streamed == UrlAnswer(201, expected, body)


@pytest.mark.parametrize("value", [None, 1, "text", [1], {"a": 1}])
def test_any_other_value_is_a_json_answer(value: object) -> None:
    result = json.dumps(value).encode()

    assert buffered_answer(result) == UrlAnswer(200, [("content-type", "application/json")], result)


def test_a_prelude_that_is_no_object_is_refused() -> None:
    with pytest.raises(ValueError, match="prelude"):
        streamed_answer(b"[]", b"")


def test_only_the_challenge_header_is_renamed() -> None:
    answer = UrlAnswer(401, [("www-authenticate", "Bearer"), ("a", "b")], b"x")

    assert with_challenge_renamed(answer).headers == [
        ("x-amzn-remapped-www-authenticate", "Bearer"),
        ("a", "b"),
    ]
