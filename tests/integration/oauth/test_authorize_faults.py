"""Faulty authorization requests: which end on a page, and which the client hears of."""

import html
import re
from urllib.parse import urlsplit

import pytest

from tests.integration.oauth.driver import (
    ISSUER,
    LOOPBACK_REDIRECT,
    MCP_URL,
    WEB_REDIRECT,
    Driver,
    query,
)


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"response_type": None}, "invalid_request"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"response_type": "code id_token"}, "unsupported_response_type"),
        ({"response_mode": "fragment"}, "invalid_request"),
        ({"code_challenge": None}, "invalid_request"),
        ({"code_challenge": "x"}, "invalid_request"),
        ({"code_challenge": "x" * 42 + "="}, "invalid_request"),
        ({"code_challenge_method": None}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"code_challenge_method": "s256"}, "invalid_request"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"resource": f"{MCP_URL}#x"}, "invalid_target"),
        ({"resource": "https://mcp.example.evil.example/mcp"}, "invalid_target"),
        ({"resource": f"{MCP_URL}/../other"}, "invalid_target"),
        ({"scope": "x" * 3_000}, "invalid_request"),
    ],
)
async def test_a_fault_after_the_redirect_is_known_goes_to_the_client(
    driver: Driver, changes: dict[str, str | None], error: str
) -> None:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()

    answer = await driver.authorize(**changes)

    assert answer.status_code == 303
    assert answer.headers["location"].startswith(f"{LOOPBACK_REDIRECT}?")
    heard = query(answer.headers["location"])
    assert (heard["error"], heard["state"], heard["iss"]) == (error, "client-state", ISSUER)


@pytest.mark.parametrize("redirect_uri", [WEB_REDIRECT, "cursor://vendor.app/oauth/callback"])
async def test_a_faulty_link_takes_nobody_to_an_address_that_anybody_could_register(
    driver: Driver, redirect_uri: str
) -> None:
    driver.redirect_uri = redirect_uri
    await driver.register()

    answer = await driver.authorize(resource="https://other.example/mcp")

    assert answer.status_code == 400
    assert "location" not in answer.headers
    (link,) = re.findall(r'<a href="([^"]+)" rel="noreferrer">([^<]+)</a>', answer.text)
    assert link[1].startswith("continue to ")
    heard = query(html.unescape(link[0]))
    assert html.unescape(link[0]).startswith(f"{redirect_uri}?")
    assert (heard["error"], heard["state"]) == ("invalid_target", "client-state")


async def test_a_client_that_was_approved_in_this_browser_hears_of_faults_at_once(
    driver: Driver,
) -> None:
    await driver.register()
    await driver.sign_in(scope="tutorial:search")

    here = await driver.authorize(response_type="token")
    driver.cookie = ""
    elsewhere = await driver.authorize(response_type="token")

    assert query(here.headers["location"])["error"] == "unsupported_response_type"
    assert elsewhere.status_code == 400


async def test_an_oversized_state_is_refused_and_not_sent_back(driver: Driver) -> None:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()

    answer = await driver.authorize(state="s" * 2_001)

    heard = query(answer.headers["location"])
    assert heard["error"] == "invalid_request"
    assert "state" not in heard


@pytest.mark.parametrize(
    "repeated", ["state", "scope", "code_challenge", "code_challenge_method", "response_type"]
)
async def test_a_repeated_parameter_is_refused(driver: Driver, repeated: str) -> None:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()
    pairs = [*driver.request().items(), (repeated, "again")]

    answer = await driver.open("/authorize", pairs)

    assert query(answer.headers["location"])["error"] == "invalid_request"


async def test_two_resources_are_an_invalid_target(driver: Driver) -> None:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()
    pairs = [*driver.request().items(), ("resource", MCP_URL)]

    answer = await driver.open("/authorize", pairs)

    assert query(answer.headers["location"])["error"] == "invalid_target"


@pytest.mark.parametrize("repeated", ["client_id", "redirect_uri"])
async def test_a_repeated_client_or_redirect_stays_on_a_page(driver: Driver, repeated: str) -> None:
    await driver.register()
    pairs = [*driver.request().items(), (repeated, "https://evil.example/")]

    answer = await driver.open("/authorize", pairs)

    assert answer.status_code == 400
    assert "http-equiv" not in answer.text


@pytest.mark.parametrize(
    "redirect_uri",
    [
        None,
        "https://app.example/callback/",
        "https://app.example/callback?x=1",
        "https://app.example:444/callback",
        "https://APP.example/callback",
        "https://app.example/x/../callback",
        "https://app.example/callback#",
        "https://app.example/callback%2f",
        "https://app.example.evil.example/callback",
        "https://app.example@evil.example/callback",
        "http://app.example/callback",
        "//evil.example/callback",
        "javascript:alert(1)",
        "https://app.example/" + "a" * 3_000,
    ],
)
async def test_a_redirect_that_is_not_registered_stays_on_a_page(
    driver: Driver, redirect_uri: str | None
) -> None:
    await driver.register()

    answer = await driver.authorize(redirect_uri=redirect_uri)

    assert answer.status_code == 400
    assert "location" not in answer.headers
    assert "unknown address" in answer.text
    assert "evil" not in answer.text


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ("http://127.0.0.1:33418/callback", True),
        ("http://127.0.0.1:50000/callback", True),
        ("http://127.0.0.1/callback", True),
        ("http://localhost:33418/callback", False),
        ("http://127.0.0.1:50000/other", False),
        ("http://127.0.0.1:0/callback", False),
        ("http://127.0.0.1:99999/callback", False),
        ("http://127.0.0.2:33418/callback", False),
        ("http://127.0.0.1:50000@evil.example/callback", False),
        ("https://127.0.0.1:33418/callback", False),
    ],
)
async def test_only_the_port_of_a_loopback_redirect_may_differ(
    driver: Driver, asked: str, *, accepted: bool
) -> None:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()

    answer = await driver.authorize(redirect_uri=asked)

    assert answer.status_code == (200 if accepted else 400)
    if accepted:
        assert "runs on your own computer" in answer.text
        assert f"<dd>{urlsplit(asked).netloc}<small>" in answer.text


@pytest.mark.parametrize("client_id", [None, "nobody", "x" * 500])
async def test_an_unknown_client_stays_on_a_page(driver: Driver, client_id: str | None) -> None:
    answer = await driver.authorize(client_id=client_id)

    assert answer.status_code == 400
    assert "not registered" in answer.text
    assert "location" not in answer.headers
    assert answer.headers["x-correlation-id"] in answer.text


@pytest.mark.parametrize(
    "raw", [b"client_id=%00", b"client_id=%ff", b"&".join([b"a=1"] * 60), b"a=" + b"x" * 17_000]
)
async def test_a_malformed_query_stays_on_a_page(driver: Driver, raw: bytes) -> None:
    answer = await driver.http.get(f"/authorize?{raw.decode()}")

    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")
