"""The authorization endpoint: what is shown, where an answer leads, and what a crash tells."""

from typing import NoReturn

import pytest

from functions.oauth.browser_cookie import COOKIE_NAME
from functions.oauth.flows import begin_sign_in, refresh_session
from tests.integration.oauth.driver import (
    ISSUER,
    WEB_REDIRECT,
    Driver,
    onward,
    query,
)


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
