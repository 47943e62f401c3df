"""The caller's address is the edge's word only if it is the edge that speaks."""

import pytest
from starlette.requests import Request

from functions.oauth.caller_address import CallerAddresses

PEER = "203.0.113.9"
VIEWER = "198.51.100.7"
ADDRESSES = CallerAddresses(["today", "before"])


def caller(*headers: tuple[str, str], addresses: CallerAddresses = ADDRESSES) -> str:
    raw = [(name.encode(), value.encode("latin-1")) for name, value in headers]
    request = Request({"type": "http", "headers": raw, "client": (PEER, 0)})
    return str(addresses.of(request))


def viewer(text: str) -> tuple[str, str]:
    return ("x-viewer-address", text)


@pytest.mark.parametrize("secret", ["today", "before"])
def test_the_edge_s_word_counts_with_the_new_secret_and_with_the_former_one(secret: str) -> None:
    assert caller(("x-origin-secret", secret), viewer(VIEWER)) == VIEWER


@pytest.mark.parametrize("text", ["2001:db8:0:0:0:0:0:7", "2001:db8::7"])
def test_a_viewer_may_have_an_ipv6_address(text: str) -> None:
    assert caller(("x-origin-secret", "today"), viewer(text)) == "2001:db8::7"


@pytest.mark.parametrize("secret", ["", "today ", "todaz", "today before", "t\u00f6day"])
def test_a_forged_word_without_the_secret_is_not_heard(secret: str) -> None:
    assert caller(("x-origin-secret", secret), viewer(VIEWER)) == PEER
    assert caller(viewer(VIEWER)) == PEER


def test_without_an_edge_no_secret_is_right() -> None:
    for secret in ("", "today"):
        forged = caller(("x-origin-secret", secret), viewer(VIEWER), addresses=CallerAddresses())
        assert forged == PEER


@pytest.mark.parametrize(
    "text", [f"{VIEWER}:46532", f"{VIEWER}, {PEER}", "nobody", "[2001:db8::7]", ""]
)
def test_a_malformed_word_of_the_edge_leaves_the_connection_s_address(text: str) -> None:
    assert caller(("x-origin-secret", "today"), viewer(text)) == PEER


def test_a_header_that_comes_twice_says_nothing() -> None:
    twice = (viewer(VIEWER), viewer("192.0.2.1"))
    assert caller(("x-origin-secret", "today"), *twice) == PEER
    secrets = (("x-origin-secret", "today"), ("x-origin-secret", "today"))
    assert caller(*secrets, viewer(VIEWER)) == PEER


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "x-real-ip", "true-client-ip", "cf-connecting-ip"]
)
def test_headers_that_anybody_can_send_are_never_read(header: str) -> None:
    assert caller((header, VIEWER)) == PEER
    assert caller(("x-origin-secret", "today"), (header, VIEWER)) == PEER


def test_a_connection_without_an_address_has_none() -> None:
    assert ADDRESSES.of(Request({"type": "http", "headers": [], "client": None})) is None
    assert ADDRESSES.of(Request({"type": "http", "headers": [], "client": ("test", 1)})) is None
