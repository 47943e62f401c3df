import base64

import pytest

from scripts.replay.cases import Case, fill, load


def test_placeholders_are_filled_at_every_depth() -> None:
    value = {"a": ["${X}", {"b": "-${X}${Y}-"}], "c": 1, "d": None}

    assert fill(value, {"X": "1", "Y": "2"}) == {"a": ["1", {"b": "-12-"}], "c": 1, "d": None}


def test_a_placeholder_without_a_value_is_a_mistake() -> None:
    with pytest.raises(KeyError):
        fill("${UNKNOWN}", {})


def test_placeholders_inside_base64_bodies_are_filled() -> None:
    body = base64.b64encode(b"client_id=${CLIENT_ID}&x=\xff").decode()
    case = Case("oauth", "x", {"isBase64Encoded": True, "body": body}, {"status": 200})

    filled = case.filled({"CLIENT_ID": "c"})

    assert base64.b64decode(filled.event["body"]) == b"client_id=c&x=\xff"
    assert case.event["body"] == body


def test_cases_are_found_by_a_part_of_their_name() -> None:
    assert [case.name for case in load("cleanup/sched")] == ["schedule"]
    assert len(load()) > len(load("oauth/")) > 10
