"""Rate limits at the endpoints: the anonymous and the refused count, live tokens only by their own.

Allowances that would take hundreds of requests to use up are used up in the database.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from typing import Any, LiteralString

import httpx2
import psycopg
import pytest

from functions.oauth import allowances
from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.domain.rate_limits import RATE_LIMITS, LimitName
from shared.observability import metrics
from shared.state import rate_limits
from shared.state.database import Database
from tests.integration.oauth.driver import (
    FORMER_ORIGIN_SECRET,
    ISSUER,
    ORIGIN_SECRET,
    WEB_REDIRECT,
    Driver,
)
from tests.support.clock import DatabaseClock

ADDRESS = "198.51.100.7"
NEIGHBOUR = "198.51.100.8"
CLAUDE = "160.79.104.9"
WRONG = "dmcp_rt_" + "A" * 43
SLOW_SECONDS = 5
REFUSALS = RATE_LIMITS[LimitName.REFUSED_BY_ADDRESS].burst

From = Callable[[str], httpx2.AsyncClient]


@pytest.fixture
async def coming_from(dependencies: Dependencies) -> AsyncIterator[From]:
    """HTTP into the application, from an address."""
    app = create_app(dependencies)
    async with AsyncExitStack() as stack:

        def http(address: str) -> httpx2.AsyncClient:
            transport = httpx2.ASGITransport(app=app, client=(address, 46532))
            client = httpx2.AsyncClient(transport=transport, base_url=ISSUER)
            stack.push_async_callback(client.aclose)
            return client

        yield http


@pytest.fixture
def person(driver: Driver, coming_from: From) -> Driver:
    """Somebody behind ``ADDRESS``."""
    driver.http = coming_from(ADDRESS)
    return driver


async def use_up(database: Database, name: LimitName, subject: str) -> None:
    """Take all that is left, and some more, so that a slow test finds nothing either."""
    limit = RATE_LIMITS[name]
    more = math.ceil(SLOW_SECONDS / limit.seconds_each)
    overdrawn = replace(limit, burst=limit.burst + more)
    async with database.transaction() as tx:
        while await rate_limits.take(tx, overdrawn, subject) == 0:
            pass


async def wrong_token(http: httpx2.AsyncClient, client_id: str, **headers: str) -> httpx2.Response:
    form = {"grant_type": "refresh_token", "refresh_token": WRONG, "client_id": client_id}
    return await http.post("/token", data=form, headers=headers)


def is_limited(answer: httpx2.Response) -> bool:
    """Whether this is the answer to too many requests, whole and well formed."""
    if answer.status_code != 429:
        return False
    assert answer.json()["error"] == "temporarily_unavailable"
    assert answer.json()["code"] == "too_many_requests"
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert int(answer.headers["retry-after"]) >= 1
    return True


def only_one(admin: psycopg.Connection[Any], column: LiteralString, table: LiteralString) -> str:
    row = admin.execute(f"SELECT {column}::text FROM app.{table}").fetchone()  # noqa: S608 - of this file
    assert row is not None
    return str(row[0])


async def test_of_many_registrations_at_once_no_more_than_the_burst_get_through(
    coming_from: From, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A limit that cannot be asked in time lets through:
    # this is about those that can, on a slow machine too.
    monkeypatch.setattr(allowances, "CHECK_SECONDS_MAX", 30.0)

    async def register(address: str) -> httpx2.Response:
        metadata = {"client_name": "Test app", "redirect_uris": [WEB_REDIRECT]}
        return await coming_from(address).post("/register", json=metadata)

    burst = RATE_LIMITS[LimitName.REGISTER_BY_ADDRESS].burst
    answers = await asyncio.gather(*(register(ADDRESS) for _ in range(burst + 10)))
    limited = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers].count(201) == burst
    assert len(limited) == 10
    assert all(is_limited(answer) for answer in limited)
    assert (await register(NEIGHBOUR)).status_code == 201

    clock.advance(max(int(answer.headers["retry-after"]) for answer in limited))
    assert (await register(ADDRESS)).status_code == 201


async def test_a_person_who_begins_too_many_sign_ins_reads_what_to_do(
    person: Driver, database: Database, clock: DatabaseClock
) -> None:
    await person.register()
    await use_up(database, LimitName.AUTHORIZE_BY_ADDRESS, ADDRESS)

    page = await person.authorize()

    assert page.status_code == 429
    assert page.headers["content-type"].startswith("text/html")
    assert "Wait a minute." in page.text
    assert "connect again from there" in page.text
    clock.advance(int(page.headers["retry-after"]))
    assert (await person.authorize()).status_code == 200


async def test_sign_ins_to_the_account_page_are_limited_and_its_page_knows_where_it_is(
    person: Driver, database: Database, clock: DatabaseClock
) -> None:
    form = {"action": "sign_in"}
    await use_up(database, LimitName.ACCOUNT_SIGN_IN_BY_ADDRESS, ADDRESS)

    page = await person.http.post("/account", data=form)

    assert page.status_code == 429
    assert "connected applications" in page.text
    assert (await person.http.get("/account")).status_code == 200
    clock.advance(int(page.headers["retry-after"]))
    assert (await person.http.post("/account", data=form)).status_code == 200


async def test_failures_at_one_address_never_block_live_codes_and_tokens_from_it(
    person: Driver, database: Database, clock: DatabaseClock
) -> None:
    tokens = await person.tokens()
    code = await person.sign_in()

    for _ in range(REFUSALS):
        assert (await wrong_token(person.http, person.client_id)).status_code == 400
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)
    limited = await wrong_token(person.http, person.client_id)

    assert is_limited(limited)
    assert (await person.refresh(tokens["refresh_token"])).status_code == 200
    redeemed = await person.redeem(code)
    assert redeemed.status_code == 200
    assert (await person.revoke(redeemed.json()["access_token"])).status_code == 200
    clock.advance(int(limited.headers["retry-after"]))
    assert (await wrong_token(person.http, person.client_id)).status_code == 400


async def test_refusals_of_all_endpoints_count_together_and_documents_stay_up(
    person: Driver, database: Database
) -> None:
    http = person.http
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)

    for path in ("/authorize", "/oauth/callback", "/token", "/register", "/revoke"):
        assert (await http.get(path)).status_code == 429
    for path in ("/authorize", "/account", "/token", "/register", "/revoke"):
        assert (await http.post(path, data={})).status_code == 429
    for path in ("/.well-known/oauth-authorization-server", "/health/live"):
        assert (await http.get(path)).status_code == 200
    assert (await http.options("/token")).status_code == 200
    assert (await http.get("/nowhere")).status_code == 404
    await person.register()
    assert (await person.authorize()).status_code == 200


async def test_failures_of_a_client_never_block_its_live_tokens_nor_another_client(
    person: Driver, database: Database, coming_from: From
) -> None:
    tokens = await person.tokens()
    await use_up(database, LimitName.REFUSED_BY_CLIENT, person.client_id)

    assert is_limited(await wrong_token(coming_from(NEIGHBOUR), person.client_id))
    assert (await wrong_token(coming_from(NEIGHBOUR), "another")).status_code == 401
    assert (await person.refresh(tokens["refresh_token"])).status_code == 200
    assert (await person.redeem(await person.sign_in())).status_code == 200


async def test_an_address_without_allowance_takes_nothing_from_a_client_s(
    person: Driver, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)

    assert is_limited(await wrong_token(person.http, "some-client"))

    assert only_one(database_admin, "count(*)", "rate_limits") == "1"


async def test_an_ipv6_network_is_one_address(database: Database, coming_from: From) -> None:
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, "2001:db8:1:2::/64")

    for host in ("2001:db8:1:2::7", "2001:db8:1:2:ffff::8"):
        assert is_limited(await wrong_token(coming_from(host), "none"))
    assert (await wrong_token(coming_from("2001:db8:1:3::7"), "none")).status_code == 401


async def test_published_vendor_egress_has_a_larger_allowance(
    database: Database, coming_from: From
) -> None:
    http = coming_from(CLAUDE)

    statuses = [(await wrong_token(http, "none")).status_code for _ in range(REFUSALS + 5)]

    assert statuses == [401] * (REFUSALS + 5)


@pytest.mark.parametrize(
    "headers",
    [
        {"x-forwarded-for": "192.0.2.1"},
        {"x-viewer-address": "192.0.2.1"},
        {"x-viewer-address": "192.0.2.1", "x-origin-secret": "guessed"},
        {"x-forwarded-for": "192.0.2.1", "x-origin-secret": ORIGIN_SECRET},
    ],
)
async def test_a_forged_address_brings_no_other_allowance(
    database: Database, coming_from: From, headers: dict[str, str]
) -> None:
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)

    assert is_limited(await wrong_token(coming_from(ADDRESS), "none", **headers))


@pytest.mark.parametrize("secret", [ORIGIN_SECRET, FORMER_ORIGIN_SECRET])
async def test_behind_the_edge_each_viewer_has_an_allowance_of_their_own(
    database: Database, coming_from: From, secret: str
) -> None:
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)
    edge = coming_from(NEIGHBOUR)

    def viewer(address: str) -> dict[str, str]:
        return {"x-viewer-address": address, "x-origin-secret": secret}

    assert is_limited(await wrong_token(edge, "none", **viewer(ADDRESS)))
    assert (await wrong_token(edge, "none", **viewer("192.0.2.1"))).status_code == 401


async def test_a_session_that_refreshes_too_often_waits_and_loses_nothing(
    person: Driver,
    database: Database,
    database_admin: psycopg.Connection[Any],
    clock: DatabaseClock,
) -> None:
    token = (await person.tokens())["refresh_token"]
    session_id = only_one(database_admin, "session_id", "sessions")
    await use_up(database, LimitName.REFRESHES_BY_SESSION, session_id)

    answer = await person.refresh(token)

    assert is_limited(answer)
    clock.advance(int(answer.headers["retry-after"]))
    assert (await person.refresh(token)).status_code == 200


async def test_a_person_who_redeems_too_many_codes_waits_and_the_code_still_works(
    person: Driver,
    database: Database,
    database_admin: psycopg.Connection[Any],
    clock: DatabaseClock,
) -> None:
    await person.register()
    code = await person.sign_in()
    await use_up(database, LimitName.CODES_BY_PERSON, only_one(database_admin, "user_id", "users"))

    answer = await person.redeem(code)

    assert is_limited(answer)
    clock.advance(int(answer.headers["retry-after"]))
    assert (await person.redeem(code)).status_code == 200


async def test_no_limit_hides_a_replayed_code_or_a_reused_token(
    person: Driver,
    database: Database,
    database_admin: psycopg.Connection[Any],
    clock: DatabaseClock,
) -> None:
    await person.register()
    code = await person.sign_in()
    first = (await person.redeem(code)).json()["refresh_token"]
    second = (await person.refresh(first)).json()["refresh_token"]
    assert (await person.refresh(second)).status_code == 200
    clock.advance(61)
    await use_up(database, LimitName.CODES_BY_PERSON, only_one(database_admin, "user_id", "users"))
    session_id = only_one(database_admin, "session_id", "sessions")
    await use_up(database, LimitName.REFRESHES_BY_SESSION, session_id)
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)

    assert is_limited(await person.refresh(first))

    assert only_one(database_admin, "ended_cause", "sessions") == "refresh_token_reused"
    assert is_limited(await person.redeem(code))
    replays = database_admin.execute(
        "SELECT count(*) FROM app.audit_events WHERE action = 'code:replayed'"
    ).fetchone()
    assert replays == (1,)


async def test_a_limit_that_does_not_answer_limits_nobody(
    person: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await person.register()
    assert (await person.authorize()).status_code == 200
    with database_admin.transaction():
        database_admin.execute("LOCK TABLE app.rate_limits IN ACCESS EXCLUSIVE MODE")
        page = await person.authorize()

    assert page.status_code == 200


async def test_a_refusal_by_a_limit_is_counted_by_its_rule(
    person: Driver, database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    await use_up(database, LimitName.REFUSED_BY_ADDRESS, ADDRESS)
    metrics.flush()
    capsys.readouterr()

    await wrong_token(person.http, "none")

    metrics.flush()
    written = capsys.readouterr().out
    assert '"RateLimitRefusals":[1.0]' in written
    assert '"rule":"refused_by_address"' in written
    assert ADDRESS not in written
