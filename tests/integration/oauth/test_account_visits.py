"""Signing in to the account page, and out: how a visit begins, what proves it, when it ends."""

from typing import Any

import psycopg
import pytest

from functions.oauth import account_cookie, browser_cookie
from shared.domain.account_page import (
    VISIT_IDLE_SECONDS_MAX,
    VISIT_SECONDS_MAX,
)
from shared.domain.tokens import TokenKind
from shared.state import discarded_pairs
from shared.state.database import Database
from shared.upstream.failures import UpstreamTimeoutError
from shared.vault.token_vault import TokenVault
from shared.workflows.discard_pair import DiscardedPairDrainer
from tests.integration.oauth.driver import Driver
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.integration.oauth.visitor import ACCOUNT, Visitor
from tests.support.clock import DatabaseClock

_DUE = "SELECT suspended_until <= app.now() FROM app.grants"


async def test_the_visits_cookie_is_for_this_host_and_browser_only(maya: Visitor) -> None:
    back = await maya.come_back(await maya.post("sign_in"))

    line = next(
        line
        for line in back.headers.get_list("set-cookie")
        if line.startswith(account_cookie.COOKIE_NAME)
    )
    assert line.startswith("__Host-dmcp_account=dmcp_av_")
    for attribute in ("Secure", "HttpOnly", "Path=/", "SameSite=lax", "Max-Age=7200"):
        assert attribute in line
    assert "Domain" not in line


async def test_the_pair_of_the_sign_in_is_burnt_at_once(
    maya: Visitor, upstream: UpstreamStub, database_admin: psycopg.Connection[Any]
) -> None:
    await maya.sign_in()

    assert upstream.burnt == upstream.issued
    assert database_admin.execute("SELECT count(*) FROM app.discarded_pairs").fetchone() == (0,)
    assert database_admin.execute("SELECT count(*) FROM app.grants").fetchone() == (0,)


async def test_a_pair_that_could_not_be_burnt_is_kept_sealed_and_burnt_by_the_cleanup(
    maya: Visitor,
    upstream: UpstreamStub,
    vault: TokenVault,
    database_url: str,
    clock: DatabaseClock,
) -> None:
    upstream.burn_failure = UpstreamTimeoutError()
    page = await maya.sign_in()
    own = Database(database_url, connections_max=1)
    drainer = DiscardedPairDrainer(own, vault, upstream)

    early = await drainer.drain(seconds_left=lambda: 60.0)
    clock.advance(121)
    failed = await drainer.drain(seconds_left=lambda: 60.0)
    clock.advance(86_400)
    upstream.burn_failure = None
    done = await drainer.drain(seconds_left=lambda: 60.0)
    again = await drainer.drain(seconds_left=lambda: 60.0)
    await own.close()

    assert page.status_code == 200, "a site that cannot burn keeps nobody out"
    assert [(run.burnt, run.postponed) for run in (early, failed, done, again)] == [
        (0, 0),
        (0, 1),
        (1, 0),
        (0, 0),
    ]
    assert upstream.burnt[-1] == upstream.issued[0]


async def test_signing_in_lets_the_persons_suspended_grants_try_again_at_once(
    driver: Driver, maya: Visitor, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()
    felix = Visitor(driver.http, driver.upstream, subject="43")
    database_admin.execute(
        "UPDATE app.grants SET status = 'suspended', suspended_until = app.now() + interval '300 s'"
    )

    await felix.come_back(await felix.post("sign_in"))
    untouched = database_admin.execute(_DUE).fetchone()
    door = await maya.get(done="account_refused")
    back = await maya.come_back(await maya.post("sign_in"))
    due = database_admin.execute(_DUE).fetchone()
    page = await maya.get(done="account_checked")
    door_again = await maya.get(done="account_refused")

    assert "your account is not accepted at the moment" in door.text
    assert back.headers["location"] == f"{ACCOUNT}?done=account_checked"
    assert "Go back to your application" in page.text
    assert (untouched, due) == ((False,), (True,))
    assert "Sign in with drupal.example" in door_again.text, "a visit may be older than the refusal"


@pytest.mark.parametrize("proof", ["", "nonsense", "dmcp_af_" + "A" * 43, "ü"])
@pytest.mark.parametrize("action", ["disconnect", "disconnect_all", "sign_out"])
async def test_a_form_without_the_visits_proof_changes_nothing(
    driver: Driver, maya: Visitor, action: str, proof: str
) -> None:
    await driver.tokens()
    await maya.sign_in()
    connection = maya.connections[0]

    answer = await maya.post(action, connection=connection, proof=proof)
    await maya.get()

    assert answer.status_code == 403
    assert "Please sign in again" in answer.text
    assert f'href="{ACCOUNT}"' in answer.text
    assert maya.connections == [connection]


async def test_the_proof_of_another_visit_is_none(driver: Driver, maya: Visitor) -> None:
    await driver.tokens()
    await maya.sign_in()
    elsewhere = Visitor(driver.http, driver.upstream)
    await elsewhere.sign_in()
    assert elsewhere.proof

    answer = await maya.post("disconnect_all", proof=elsewhere.proof)

    assert answer.status_code == 403


async def test_a_visit_ends_after_half_an_hour_without_use(
    driver: Driver, maya: Visitor, clock: DatabaseClock
) -> None:
    await driver.tokens()
    await maya.sign_in()
    clock.advance(VISIT_IDLE_SECONDS_MAX - 10)
    used = await maya.get()
    clock.advance(VISIT_IDLE_SECONDS_MAX - 10)
    still = await maya.get()
    connection = maya.connections[0]
    clock.advance(VISIT_IDLE_SECONDS_MAX + 1)

    posted = await maya.post("disconnect", connection=connection)
    page = await maya.get()

    assert "Disconnect" in used.text
    assert "Disconnect" in still.text
    assert posted.status_code == 403
    assert "Nothing was changed" in posted.text
    assert "some time has passed" in page.text
    assert maya.cookies[account_cookie.COOKIE_NAME] == ""
    assert maya.connections == []


async def test_a_visit_ends_at_its_greatest_age_however_much_it_is_used(
    maya: Visitor, clock: DatabaseClock
) -> None:
    await maya.sign_in()
    for _ in range(VISIT_SECONDS_MAX // 1_700):
        clock.advance(1_700)
        await maya.get()
    clock.advance(1_000)

    assert "some time has passed" in (await maya.get()).text


async def test_signing_out_ends_the_visit_and_no_connection(driver: Driver, maya: Visitor) -> None:
    tokens = await driver.tokens()
    await maya.sign_in()
    kept = dict(maya.cookies)

    answer = await maya.post("sign_out")
    page = await maya.get("/account", done="signed_out")
    maya.cookies = kept
    with_old_cookie = await maya.get()

    assert answer.status_code == 303
    assert "You are signed out of this page" in page.text
    assert "Sign in with drupal.example" in with_old_cookie.text
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200


async def test_signing_in_again_ends_the_earlier_visit_of_the_browser(maya: Visitor) -> None:
    await maya.sign_in()
    earlier = dict(maya.cookies)
    await maya.sign_in()
    maya.cookies = earlier

    assert "Sign in with drupal.example" in (await maya.get()).text


async def test_a_sign_in_that_another_browser_began_is_refused_and_used_up(maya: Visitor) -> None:
    sent = await maya.post("sign_in")
    browser = maya.cookies[browser_cookie.COOKIE_NAME]
    maya.cookies = {browser_cookie.COOKIE_NAME: TokenKind.BROWSER.value + "A" * 43}
    foreign = await maya.come_back(sent)
    maya.cookies = {browser_cookie.COOKIE_NAME: browser}
    afterwards = await maya.come_back(sent)
    maya.cookies = {}
    without = await maya.come_back(sent)

    for answer in (foreign, afterwards, without):
        assert answer.status_code == 400
        assert "This sign-in is no longer open" in answer.text
        assert f'href="{ACCOUNT}"' in answer.text
        assert account_cookie.COOKIE_NAME not in maya.cookies


async def test_a_sign_in_stays_open_for_ten_minutes(maya: Visitor, clock: DatabaseClock) -> None:
    sent = await maya.post("sign_in")
    clock.advance(601)

    assert (await maya.come_back(sent)).status_code == 400


@pytest.mark.parametrize(
    "changes", [{"error": "access_denied"}, {"error": "server_error"}, {"code": ""}]
)
async def test_what_the_site_refuses_ends_on_a_page_with_a_way_back(
    maya: Visitor, changes: dict[str, str], database_admin: psycopg.Connection[Any]
) -> None:
    answer = await maya.come_back(await maya.post("sign_in"), **changes)

    assert answer.status_code == 400
    assert "You are not signed in" in answer.text
    assert "Open the page again" in answer.text
    rows = database_admin.execute(
        "SELECT details->>'reason' FROM app.audit_events WHERE action = 'account:sign_in_refused'"
    ).fetchall()
    assert rows == [("no_code",)]


async def test_an_outage_of_the_site_ends_on_a_page_with_a_way_back(
    maya: Visitor, upstream: UpstreamStub
) -> None:
    sent = await maya.post("sign_in")
    upstream.failure = UpstreamTimeoutError()

    answer = await maya.come_back(sent)

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "This page is not available right now" in answer.text
    assert "your application" not in answer.text


async def test_a_pair_that_cannot_be_stored_is_burnt_and_nobody_is_signed_in(
    maya: Visitor, upstream: UpstreamStub, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(*_: object, **__: object) -> None:
        raise UpstreamTimeoutError

    monkeypatch.setattr(discarded_pairs, "add", refuse)

    answer = await maya.come_back(await maya.post("sign_in"))

    assert answer.status_code == 503
    assert upstream.burnt == upstream.issued
    assert account_cookie.COOKIE_NAME not in maya.cookies
