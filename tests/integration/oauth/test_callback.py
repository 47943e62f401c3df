"""The way back from Drupal: one browser, one use, and nothing stored half."""

import json
from typing import Any

import psycopg
import pytest

from shared.domain.grants import GrantStatus
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.state import grants
from shared.state.database import Database
from shared.upstream.failures import UpstreamTimeoutError
from shared.vault.token_vault import TokenVault
from shared.workflows.sealed_pairs import open_pair
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver, onward, query
from tests.support.clock import DatabaseClock


class KeysAwayError(UnavailableError):
    """The key service is away."""

    code = ErrorCode.KEY_SERVICE_UNAVAILABLE


async def sent_to_site(driver: Driver) -> str:
    """As far as Drupal's login page; its address."""
    await driver.register()
    await driver.authorize()
    return onward(await driver.decide())


async def test_the_client_gets_code_state_and_issuer(driver: Driver) -> None:
    location = await sent_to_site(driver)

    back = await driver.return_from_site(location, check_logged_in="1")

    assert back.status_code == 303
    assert back.headers["location"].startswith(f"{WEB_REDIRECT}?")
    answer = query(back.headers["location"])
    assert answer["code"].startswith("dmcp_ac_")
    assert (answer["state"], answer["iss"]) == ("client-state", ISSUER)


async def test_a_redirect_with_a_query_of_its_own_keeps_it(driver: Driver) -> None:
    driver.redirect_uri = "https://app.example/callback?tenant=7"
    location = await sent_to_site(driver)

    back = await driver.return_from_site(location)

    assert back.headers["location"].startswith("https://app.example/callback?tenant=7&code=")


async def test_the_sealed_pair_opens_to_what_the_site_issued(
    driver: Driver, database: Database, vault: TokenVault, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.return_from_site(await sent_to_site(driver))

    row = database_admin.execute("SELECT grant_id FROM app.grants").fetchone()
    assert row is not None
    async with database.transaction() as tx:
        grant = await grants.find(tx, row[0])
    assert grant is not None
    assert (grant.status, grant.subject) == (GrantStatus.ACTIVE, "42")
    assert await open_pair(vault, grant) == driver.upstream.issued[0]


async def test_two_sign_ins_of_a_person_are_one_user_with_two_grants(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    await driver.sign_in()
    await driver.sign_in()

    row = database_admin.execute(
        "SELECT count(*), count(DISTINCT user_id) FROM app.grants"
    ).fetchone()
    assert row == (2, 1)


async def test_audit_events_tell_the_story(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()

    actions = database_admin.execute("SELECT action FROM app.audit_events").fetchall()
    assert sorted(action for (action,) in actions) == [
        "client:registered",
        "code:redeemed",
        "consent:given",
        "data_key:made",
        "grant:created",
        "sign_in:completed",
    ]


async def test_a_used_client_is_kept(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()

    row = database_admin.execute("SELECT unused_expires_at FROM app.clients").fetchone()
    assert row == (None,)


async def test_a_state_is_taken_once(driver: Driver) -> None:
    location = await sent_to_site(driver)
    await driver.return_from_site(location)

    again = await driver.return_from_site(location)

    assert again.status_code == 400
    assert "no longer open" in again.text


async def test_another_browser_cannot_finish_and_burns_the_sign_in(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    location = await sent_to_site(driver)
    own, driver.cookie = driver.cookie, "dmcp_bb_" + "A" * 43

    foreign = await driver.return_from_site(location)
    driver.cookie = own
    late = await driver.return_from_site(location)

    assert (foreign.status_code, late.status_code) == (403, 400)
    assert driver.upstream.issued == []
    row = database_admin.execute("SELECT count(*) FROM app.grants").fetchone()
    assert row == (0,)


async def test_a_browser_without_cookie_is_told_to_use_one_browser_and_counted(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    location = await sent_to_site(driver)
    driver.cookie = ""
    metrics.flush()
    capsys.readouterr()

    answer = await driver.return_from_site(location)

    metrics.flush()
    assert answer.status_code == 403
    assert "one browser" in answer.text
    written = [line for line in capsys.readouterr().out.splitlines() if '"SignIns"' in line]
    assert [json.loads(line)["outcome"] for line in written] == ["other_browser"]


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"code": "x"},
        {"state": "x", "code": "x"},
        {"state": "dmcp_st_" + "A" * 43, "code": "x"},
        {"state": "x" * 10_000, "code": "x"},
    ],
)
async def test_a_callback_without_an_open_sign_in_is_refused_on_a_page(
    driver: Driver, parameters: dict[str, str]
) -> None:
    driver.cookie = "dmcp_bb_" + "A" * 43

    answer = await driver.open("/oauth/callback", parameters)

    assert answer.status_code == 400
    assert "location" not in answer.headers


async def test_a_sign_in_expires_after_ten_minutes(driver: Driver, clock: DatabaseClock) -> None:
    location = await sent_to_site(driver)
    clock.advance(601)

    assert (await driver.return_from_site(location)).status_code == 400


async def test_a_refusal_at_the_site_reaches_the_client(driver: Driver) -> None:
    location = await sent_to_site(driver)

    back = await driver.open(
        "/oauth/callback",
        {
            "state": query(location)["state"],
            "error": "access_denied",
            "error_description": "<b>upstream text</b>",
            "hint": "The user denied the request",
        },
    )

    answer = query(back.headers["location"])
    assert (answer["error"], answer["state"], answer["iss"]) == (
        "access_denied",
        "client-state",
        ISSUER,
    )
    assert "upstream" not in back.headers["location"]


async def test_a_refusal_at_the_site_is_counted_as_the_persons(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    location = await sent_to_site(driver)
    metrics.flush()
    capsys.readouterr()

    await driver.open(
        "/oauth/callback", {"state": query(location)["state"], "error": "access_denied"}
    )
    metrics.flush()

    written = [line for line in capsys.readouterr().out.splitlines() if '"SignIns"' in line]
    assert [json.loads(line)["outcome"] for line in written] == ["denied"]


async def test_a_callback_without_code_is_a_page(driver: Driver) -> None:
    location = await sent_to_site(driver)

    answer = await driver.open("/oauth/callback", {"state": query(location)["state"]})

    assert answer.status_code == 400
    assert "not completed" in answer.text


async def test_a_code_that_the_site_refuses_is_a_page(driver: Driver) -> None:
    location = await sent_to_site(driver)

    answer = await driver.open(
        "/oauth/callback", {"state": query(location)["state"], "code": "made-up"}
    )

    assert answer.status_code == 400
    assert "not completed" in answer.text


async def test_an_outage_of_the_site_says_start_again(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    location = await sent_to_site(driver)
    driver.upstream.failure = UpstreamTimeoutError()

    answer = await driver.return_from_site(location)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "start again from your application" in answer.text
    row = database_admin.execute("SELECT count(*) FROM app.grants").fetchone()
    assert row == (0,)


async def test_an_outage_of_the_key_service_uses_nothing_up(
    driver: Driver, vault: TokenVault, monkeypatch: pytest.MonkeyPatch
) -> None:
    location = await sent_to_site(driver)

    async def away() -> int:
        raise KeysAwayError

    with monkeypatch.context() as patch:
        patch.setattr(vault, "prepare", away)
        first = await driver.return_from_site(location)
    reloaded = await driver.return_from_site(location)

    assert (first.status_code, reloaded.status_code) == (503, 303)


@pytest.mark.parametrize("burn_fails", [False, True])
async def test_a_pair_that_cannot_be_stored_is_burnt(
    driver: Driver, vault: TokenVault, monkeypatch: pytest.MonkeyPatch, *, burn_fails: bool
) -> None:
    driver.upstream.burn_failure = UpstreamTimeoutError() if burn_fails else None
    location = await sent_to_site(driver)

    async def away(*_: object, **__: object) -> None:
        raise KeysAwayError

    monkeypatch.setattr(vault, "seal", away)
    answer = await driver.return_from_site(location)

    assert answer.status_code == 503
    assert driver.upstream.burnt == driver.upstream.issued
