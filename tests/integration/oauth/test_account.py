"""The account page: whose connections it shows, what it ends, and what it never tells."""

import asyncio
import re
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest

from functions.oauth import account_cookie, browser_cookie
from shared.domain.account_page import (
    CONNECTIONS_SHOWN_MAX,
    VISIT_IDLE_SECONDS_MAX,
    VISIT_SECONDS_MAX,
)
from shared.domain.tokens import TokenKind, hash_token
from shared.state import discarded_pairs, sessions
from shared.state.database import Database
from shared.upstream.failures import UpstreamTimeoutError
from shared.vault.token_vault import TokenVault
from shared.workflows.discard_pair import DiscardedPairDrainer
from tests.integration.oauth.driver import ISSUER, Driver, onward, query
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.support.clock import DatabaseClock

ACCOUNT = f"{ISSUER}/account"
_CONNECTION = re.compile(r'name="connection" value="([^"]+)"')
_DUE = "SELECT suspended_until <= app.now() FROM app.grants"
_PROOF = re.compile(r'name="proof" value="([^"]+)"')


@dataclass
class Visitor:
    """A person with a browser at the account page."""

    http: httpx2.AsyncClient
    upstream: UpstreamStub
    subject: str = "42"
    cookies: dict[str, str] = field(default_factory=dict)
    page: str = ""

    async def get(self, path: str = "/account", **parameters: str) -> httpx2.Response:
        return self._seen(
            await self.http.get(path, params=parameters, headers={"cookie": self._cookie()})
        )

    async def post(self, action: str, **fields: str) -> httpx2.Response:
        proof = _PROOF.search(self.page)
        form = {"action": action, **({"proof": proof[1]} if proof else {}), **fields}
        headers = {"cookie": self._cookie()}
        return self._seen(await self.http.post("/account", data=form, headers=headers))

    async def sign_in(self) -> httpx2.Response:
        """All the way; the account page."""
        back = await self.come_back(await self.post("sign_in"))
        assert back.status_code == 303, back.text
        assert back.headers["location"] == ACCOUNT
        return await self.get()

    async def come_back(self, sent: httpx2.Response, **changes: str) -> httpx2.Response:
        """Signed in at the site, back at the callback."""
        self.upstream.subject = self.subject
        state = query(onward(sent))["state"]
        answer = {"code": self.upstream.consent(state), "state": state, **changes}
        return await self.get("/oauth/callback", **answer)

    @property
    def connections(self) -> list[str]:
        return _CONNECTION.findall(self.page)

    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _seen(self, answer: httpx2.Response) -> httpx2.Response:
        self.http.cookies.clear()
        for line in answer.headers.get_list("set-cookie"):
            name, _, value = line.split(";", 1)[0].partition("=")
            self.cookies[name] = value.strip('"')
        if answer.headers.get("content-type", "").startswith("text/html"):
            self.page = answer.text
        return answer


@pytest.fixture
def maya(driver: Driver) -> Visitor:
    """The person with the subject 42, who connects through ``driver``."""
    return Visitor(driver.http, driver.upstream)


async def test_nobody_sees_anything_without_signing_in(
    maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    page = await maya.get()

    assert page.status_code == 200
    assert "Sign in with drupal.example" in page.text
    assert "set-cookie" not in page.headers
    rows = database_admin.execute("SELECT count(*) FROM app.account_sign_ins").fetchone()
    assert rows == (0,), "looking writes nothing"


async def test_a_person_sees_their_clients_with_times_and_permissions_in_words(
    driver: Driver, maya: Visitor
) -> None:
    await driver.register(client_name="Tutor <b>App</b>", client_uri="https://app.example/about")
    await driver.tokens()

    page = await maya.sign_in()

    assert page.status_code == 200
    assert "Tutor &lt;b&gt;App&lt;/b&gt;" in page.text
    assert "says it is from app.example" in page.text
    assert "<dt>Returns to</dt><dd>app.example" in page.text
    assert page.text.count("<time datetime=") == 2
    assert "Search tutorials on your behalf" in page.text
    assert len(maya.connections) == 1
    assert "Disconnect all" not in page.text, "one is disconnected by its own button"


async def test_a_person_without_connections_is_told_how_to_make_one(maya: Visitor) -> None:
    page = await maya.sign_in()

    assert "No application is connected" in page.text
    assert maya.connections == []


async def test_the_page_is_private_and_without_a_script(driver: Driver, maya: Visitor) -> None:
    await driver.tokens()

    page = await maya.sign_in()

    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert "access-control-allow-origin" not in page.headers


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


async def test_disconnecting_ends_the_grant_by_the_persons_will_and_is_audited(
    driver: Driver, maya: Visitor, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    await maya.sign_in()

    answer = await maya.post("disconnect", connection=maya.connections[0])
    async with database.autocommit() as tx:
        lives = await sessions.access_token_lives(tx, hash_token(tokens["access_token"]))
    page = await maya.get("/account", done="disconnected")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{ACCOUNT}?done=disconnected"
    assert not lives, "from the client's next request on"
    assert "The application was disconnected" in page.text
    assert "No application is connected" in page.text
    assert (await driver.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    rows = database_admin.execute(
        "SELECT details->>'cause', user_id IS NOT NULL FROM app.audit_events"
        " WHERE action = 'grant:ended'"
    ).fetchall()
    assert rows == [("disconnected_by_person", True)]
    queued = database_admin.execute("SELECT count(*) FROM app.revocation_outbox").fetchone()
    assert queued == (1,), "Drupal will be told"


async def test_only_the_chosen_connection_ends(driver: Driver, maya: Visitor) -> None:
    first = await driver.tokens()
    second = await driver.tokens()
    await maya.sign_in()
    ended = maya.connections[0]

    await maya.post("disconnect", connection=ended)
    await maya.get()

    assert len(maya.connections) == 1
    assert ended not in maya.connections
    outcomes = [
        (await driver.refresh(tokens["refresh_token"])).status_code for tokens in (first, second)
    ]
    assert sorted(outcomes) == [200, 400]


async def test_all_connections_end_together(driver: Driver, maya: Visitor) -> None:
    tokens = [await driver.tokens() for _ in range(3)]
    await maya.sign_in()

    answer = await maya.post("disconnect_all")
    page = await maya.get("/account", done="all_disconnected")

    assert answer.headers["location"] == f"{ACCOUNT}?done=all_disconnected"
    assert "No application is connected" in page.text
    for one in tokens:
        assert (await driver.refresh(one["refresh_token"])).status_code == 400


async def test_a_long_list_is_cut_and_ended_as_a_whole(
    driver: Driver, maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()
    database_admin.execute(
        "INSERT INTO app.grants (grant_id, user_id, client_id, pair_ciphertext, key_generation,"
        " access_expires_at, last_used_at)"
        " SELECT gen_random_uuid(), user_id, client_id, pair_ciphertext, key_generation,"
        " access_expires_at, last_used_at - n * interval '1 day'"
        " FROM app.grants, generate_series(1, %(more)s) n",
        {"more": CONNECTIONS_SHOWN_MAX + 1},
    )
    page = await maya.sign_in()

    await maya.post("disconnect_all")

    assert len(maya.connections) == CONNECTIONS_SHOWN_MAX
    assert "2 more are not shown" in page.text
    assert "Disconnect all 102 applications" in page.text
    rows = database_admin.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = 'ended') FROM app.grants"
    ).fetchone()
    assert rows == (102, 102)


async def test_disconnecting_twice_at_once_while_the_client_refreshes_leaves_nothing_alive(
    driver: Driver, maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = [await driver.tokens() for _ in range(3)]
    await maya.sign_in()
    elsewhere = Visitor(driver.http, driver.upstream)
    await elsewhere.sign_in()

    answers = await asyncio.gather(
        maya.post("disconnect_all"),
        elsewhere.post("disconnect_all"),
        maya.post("disconnect", connection=maya.connections[0]),
        *(driver.refresh(one["refresh_token"]) for one in tokens),
    )

    assert [answer.status_code for answer in answers[:3]] == [303, 303, 303]
    alive = database_admin.execute(
        "SELECT (SELECT count(*) FROM app.grants WHERE status <> 'ended'),"
        " (SELECT count(*) FROM app.sessions WHERE ended_at IS NULL),"
        " (SELECT count(*) FROM app.audit_events WHERE action = 'grant:ended')"
    ).fetchone()
    assert alive == (0, 0, 3), "each ended once"


async def test_a_person_never_sees_or_ends_what_is_anothers(driver: Driver, maya: Visitor) -> None:
    tokens = await driver.tokens()
    await maya.sign_in()
    felix = Visitor(driver.http, driver.upstream, subject="43")
    await felix.sign_in()

    foreign = await felix.post("disconnect", connection=maya.connections[0])
    unknown = await felix.post("disconnect", connection=str(uuid4()))
    malformed = await felix.post("disconnect", connection="x")
    every = await felix.post("disconnect_all")

    assert felix.connections == []
    answers = [(one.status_code, one.headers["location"]) for one in (foreign, unknown, malformed)]
    assert answers == [(303, f"{ACCOUNT}?done=not_connected")] * 3
    assert every.status_code == 303
    await maya.get()
    assert len(maya.connections) == 1
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200


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
    proof = _PROOF.search(elsewhere.page)
    assert proof is not None

    answer = await maya.post("disconnect_all", proof=proof[1])

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


@pytest.mark.parametrize("form", [{"action": "delete"}, {"action": ""}, {"other": "x"}])
async def test_an_unknown_action_is_refused(maya: Visitor, form: dict[str, str]) -> None:
    await maya.sign_in()

    answer = await maya.http.post("/account", data=form)

    assert answer.status_code == 400


async def test_a_notice_is_one_of_ours(maya: Visitor) -> None:
    page = await maya.get("/account", done="<b>you won</b>")

    assert "you won" not in page.text
    assert 'role="status"' not in page.text


async def test_another_method_is_answered_with_a_page(maya: Visitor) -> None:
    answer = await maya.http.delete("/account")

    assert answer.status_code == 405
    assert "This page cannot continue" in answer.text
