import json
from typing import Any

import pytest

from scripts.replay.answers import FunctionAnswer, read_answer
from scripts.replay.expectations import differences

ANSWER = FunctionAnswer(
    status=200,
    headers={"content-type": "application/json", "allow": "GET, POST"},
    cookies=("a=1; Secure",),
    body=b'{"tools": [{"name": "one", "size": 1}, {"name": "two"}], "more": true}',
)


@pytest.mark.parametrize(
    "expected",
    [
        {},
        {"shows": "anything"},
        {"status": 200},
        {"headers": {"allow": {"$matches": "POST"}, "content-type": "application/json"}},
        {"absent": ["location"]},
        {"cookies": ["a="]},
        {"json": {"more": True}},
        {"json": {"tools": {"$includes": [{"name": "two"}, {"name": "one", "size": 1}]}}},
        {"text": ['"one"']},
    ],
)
def test_what_is_as_expected_has_no_differences(expected: dict[str, Any]) -> None:
    assert differences(ANSWER, expected) == []


@pytest.mark.parametrize(
    "expected",
    [
        {"status": 404},
        {"headers": {"allow": "GET"}},
        {"headers": {"location": {"$matches": "."}}},
        {"absent": ["allow"]},
        {"cookies": ["b="]},
        {"json": {"more": False}},
        {"json": {"tools": {"$includes": [{"name": "one", "size": 2}]}}},
        {"json": {"tools": []}},
        {"text": ["three"]},
        {"result": {"refreshed": 0}},
        {"error": "InvocationError"},
        {"stauts": 200},
    ],
)
def test_what_is_not_as_expected_is_told(expected: dict[str, Any]) -> None:
    assert len(differences(ANSWER, expected)) == 1


def test_everything_that_differs_is_told() -> None:
    expected = {"status": 404, "json": {"more": 1.5, "less": None, "tools": {"$includes": ["x"]}}}

    assert len(differences(ANSWER, expected)) == 3


def test_a_failure_where_an_answer_was_expected_is_told_whatever_was_expected() -> None:
    assert differences(FunctionAnswer(error="Broken"), {"shows": "x"}) == ["failed with Broken"]


def test_a_token_is_never_told() -> None:
    token = "dmcp_at_" + "b" * 43
    answer = FunctionAnswer(status=200, body=json.dumps({"access_token": token}).encode())

    (line,) = differences(answer, {"json": {"access_token": "something else"}})

    assert token not in line


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (
            b'{"statusCode": 201, "headers": {"A": "b"}, "cookies": ["c=d"], "body": "text"}',
            FunctionAnswer(201, {"a": "b"}, ("c=d",), b"text"),
        ),
        (
            b'{"statusCode": 200, "isBase64Encoded": true, "body": "AP8="}',
            FunctionAnswer(200, body=b"\x00\xff"),
        ),
        (b'{"statusCode": 401}\0\0\0\0\0\0\0\0body', FunctionAnswer(401, body=b"body")),
        (b'{"errorType": "Oops", "errorMessage": "x"}', FunctionAnswer(error="Oops")),
        (b'{"refreshed": 3}', FunctionAnswer(result={"refreshed": 3})),
        (b"null", FunctionAnswer()),
    ],
)
def test_every_shape_of_an_answer_is_read(raw: bytes, expected: FunctionAnswer) -> None:
    assert read_answer(raw) == expected
