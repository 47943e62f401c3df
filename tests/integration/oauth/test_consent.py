"""Answers to the consent page: by whom, for how long, once, and when nobody is asked."""

import pytest

from tests.integration.oauth.driver import (
    LOOPBACK_REDIRECT,
    Driver,
    onward,
)
from tests.support.clock import DatabaseClock


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
