"""Parsing: once only, bounded, and nothing that is not text."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.oauth.parameters import PARAMETERS_MAX, parse
from functions.oauth.refusals import InvalidRequestError


def test_a_parameter_without_a_value_counts_as_omitted() -> None:
    parameters = parse(b"scope=&state=x")

    assert parameters.get("scope") is None
    assert parameters.get("state") == "x"
    with pytest.raises(InvalidRequestError):
        parameters.require("scope")


def test_an_empty_and_a_full_one_of_a_name_are_two() -> None:
    with pytest.raises(InvalidRequestError):
        parse(b"code=&code=x").refuse_repeated()


def test_resources_may_repeat_and_are_all_seen() -> None:
    parameters = parse(b"resource=a&resource=b&resource=")

    parameters.refuse_repeated()
    assert parameters.all("resource") == ("a", "b")


def test_plus_and_percent_are_decoded_once() -> None:
    assert parse(b"scope=a+b%20c%2520").get("scope") == "a b c%20"


@pytest.mark.parametrize(
    "raw",
    [
        b"a=%00",
        b"a=%0a",
        b"a=%0d%0aLocation:x",
        b"a=%c2%85",
        b"%00=a",
        b"a=%ff",
        b"a=%ed%a0%80",
        b"a=\xff",
        b"&".join(b"p=1" for _ in range(PARAMETERS_MAX + 1)),
    ],
)
def test_what_is_not_plain_text_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidRequestError):
        parse(raw)


@given(st.binary(max_size=300))
def test_any_bytes_are_parsed_or_refused(raw: bytes) -> None:
    try:
        parameters = parse(raw)
    except InvalidRequestError:
        return
    assert "\x00" not in (parameters.get("a") or "")
