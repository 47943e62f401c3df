"""The authorization endpoint: what is shown, what is refused on a page, what the client hears."""

import html
import re
from typing import NoReturn
from urllib.parse import urlsplit

import pytest

from functions.oauth.browser_cookie import COOKIE_NAME
from functions.oauth.flows import begin_sign_in, refresh_session
from tests.integration.oauth.driver import (
    ISSUER,
    LOOPBACK_REDIRECT,
    MCP_URL,
    WEB_REDIRECT,
    Driver,
    onward,
    query,
)
from tests.support.clock import DatabaseClock


def _crash(*_: object, **__: object) -> NoReturn:
    raise RuntimeError("secret detail")


async def test_the_consent_page_names_client_destination_and_permissions(driver: Driver) -> None:
    await driver.register(client_name="Tutor <b>App</b>", client_uri="https://app.example/about")

    page = await driver.authorize()

    assert page.status_code == 200
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "Tutor &lt;b&gt;App&lt;/b&gt;" in page.text
    assert "says it is from app.example" in page.text
    assert "Search tutorials on your behalf" in page.text
    assert "<script" not in page.text


async def test_pages_carry_every_security_header_and_no_cors(driver: Driver) -> None:
    await driver.register()

    headers = (await driver.authorize()).headers

    assert headers["cache-control"] == "no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["strict-transport-security"].startswith("max-age=")
    policy = headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "form-action 'self';" in policy
    assert "access-control-allow-origin" not in headers


async def test_the_cookie_is_host_only_and_kept_across_sign_ins(driver: Driver) -> None:
    await driver.register()
    first = await driver.authorize()
    cookie = driver.cookie

    await driver.authorize()

    line = first.headers["set-cookie"]
    assert line.startswith(f"{COOKIE_NAME}=dmcp_bb_")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=lax"):
        assert attribute in line
    assert "Domain" not in line
    assert driver.cookie == cookie


async def test_a_malformed_cookie_is_replaced(driver: Driver) -> None:
    await driver.register()
    driver.cookie = "dmcp_bb_tooshort"

    await driver.authorize()

    assert len(driver.cookie) == len("dmcp_bb_") + 43


async def test_allow_leads_to_the_site_with_nothing_of_the_clients(driver: Driver) -> None:
    await driver.register()
    await driver.authorize(prompt="consent", scope="tutorial:read offline_access openid")

    sent = await driver.decide("allow")

    assert sent.status_code == 200
    assert set(query(onward(sent))) == {"state"}
    assert "client-state" not in sent.text


async def test_a_page_that_leads_on_says_where_and_offers_a_link(driver: Driver) -> None:
    await driver.register()
    await driver.authorize()

    page = await driver.decide("allow")

    assert "Going on to drupal.example" in page.text
    assert f'<a class="button primary" href="{onward(page)}">Continue</a>' in page.text
    assert "form-action 'none'" in page.headers["content-security-policy"]
    assert page.headers["cache-control"] == "no-store"


async def test_deny_tells_the_client_with_state_and_issuer(driver: Driver) -> None:
    await driver.register()
    await driver.authorize()

    denied = await driver.decide("deny")

    assert onward(denied).startswith(f"{WEB_REDIRECT}?")
    assert "Going on to app.example" in denied.text
    answer = query(onward(denied))
    assert (answer["error"], answer["state"]) == ("access_denied", "client-state")
    assert answer["iss"] == ISSUER


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


async def test_consent_is_remembered_by_browser_client_redirect_and_scopes(
    driver: Driver,
) -> None:
    await driver.register()
    await driver.sign_in(scope="tutorial:search")

    same = await driver.authorize(scope="tutorial:search")
    more = await driver.authorize(scope="tutorial:search tutorial:read")
    driver.cookie = ""
    elsewhere = await driver.authorize(scope="tutorial:search")

    assert same.status_code == 303
    assert same.headers["location"].startswith("https://drupal.example/")
    assert (more.status_code, elsewhere.status_code) == (200, 200)


@pytest.mark.parametrize("redirect_uri", [LOOPBACK_REDIRECT, "cursor://vendor.app/oauth/callback"])
async def test_consent_is_never_remembered_for_redirects_that_others_can_claim(
    driver: Driver, redirect_uri: str
) -> None:
    driver.redirect_uri = redirect_uri
    await driver.register()
    await driver.sign_in()

    again = await driver.authorize()

    assert again.status_code == 200


async def test_a_double_click_leads_to_the_same_sign_in(driver: Driver) -> None:
    await driver.register()
    await driver.authorize()
    first = await driver.decide("allow")

    again = await driver.decide("allow")

    assert onward(again) == onward(first)


async def test_what_was_allowed_cannot_be_denied_afterwards(driver: Driver) -> None:
    await driver.register()
    await driver.authorize()
    await driver.decide("allow")

    again = await driver.decide("deny")

    assert again.status_code == 400
    assert "no longer open" in again.text


async def test_a_completed_sign_in_cannot_be_allowed_again(driver: Driver) -> None:
    await driver.register()
    await driver.sign_in()

    assert (await driver.decide("allow")).status_code == 400


async def test_a_consent_page_expires_after_ten_minutes(
    driver: Driver, clock: DatabaseClock
) -> None:
    await driver.register()
    await driver.authorize()
    clock.advance(601)

    assert (await driver.decide("allow")).status_code == 400


@pytest.mark.parametrize(
    "changes",
    [
        {"consent": "dmcp_cs_" + "A" * 43},
        {"consent": ""},
        {"consent": "nonsense"},
        {"sign_in": "not-a-uuid"},
        {"sign_in": "00000000-0000-7000-8000-000000000000"},
        {"decision": "maybe"},
    ],
)
async def test_a_forged_consent_answer_is_refused(driver: Driver, changes: dict[str, str]) -> None:
    await driver.register()
    await driver.authorize()

    answer = await driver.decide(**changes)

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_consent_from_another_browser_is_refused(driver: Driver) -> None:
    await driver.register()
    await driver.authorize()
    driver.cookie = "dmcp_bb_" + "A" * 43

    foreign = await driver.decide("allow")
    driver.cookie = ""
    without = await driver.decide("allow")

    assert foreign.status_code == 400
    assert without.status_code == 403


async def test_a_crash_is_a_page_with_a_reference_and_no_detail(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.register()
    monkeypatch.setattr(begin_sign_in, "mint", _crash)

    answer = await driver.authorize()

    assert answer.status_code == 500
    assert "Something went wrong" in answer.text
    assert answer.headers["x-correlation-id"] in answer.text
    assert "secret detail" not in answer.text


async def test_a_crash_at_the_token_endpoint_lets_clients_keep_their_tokens(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await driver.tokens()
    with monkeypatch.context() as patch:
        patch.setattr(refresh_session, "mint_tokens", _crash)
        answer = await driver.refresh(tokens["refresh_token"])

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200
