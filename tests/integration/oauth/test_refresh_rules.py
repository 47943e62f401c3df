"""The rules of refresh that span several requests: narrowing, retries, reuse, and races."""

import asyncio
from typing import Any

import psycopg
import pytest

from shared.domain.identifiers import ClientId, SessionId, new_id
from shared.domain.tokens import PlainToken, TokenKind, hash_token, mint
from shared.state import sessions
from shared.state.database import Database
from shared.state.sessions import NewSession
from tests.integration.oauth.driver import MCP_URL, Driver
from tests.integration.state.pieces import CLIENT_ID, DAY, HOUR, add_grant
from tests.support.clock import DatabaseClock

BOTH = "tutorial:search tutorial:read"
RACES = 100
AT_ONCE = 10


def scopes_of(admin: psycopg.Connection[Any], token: str) -> list[str] | None:
    """What the resource server is told about an access token."""
    row = admin.execute(
        "SELECT session_scopes FROM app.authenticate_call(%s)", (hash_token(token),)
    ).fetchone()
    return row and row[0]


async def test_a_narrowed_access_token_leaves_the_refresh_token_all_that_was_granted(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()

    narrowed = (await driver.refresh(tokens["refresh_token"], scope="tutorial:search")).json()
    whole = (await driver.refresh(narrowed["refresh_token"])).json()

    assert (narrowed["scope"], whole["scope"]) == ("tutorial:search", BOTH)
    assert scopes_of(database_admin, narrowed["access_token"]) == ["tutorial:search"]
    assert scopes_of(database_admin, whole["access_token"]) == BOTH.split()


async def test_a_retry_that_asks_for_other_scopes_gets_them_with_the_same_successor(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    whole = (await driver.refresh(tokens["refresh_token"])).json()

    narrowed = (await driver.refresh(tokens["refresh_token"], scope="tutorial:read")).json()
    again = (await driver.refresh(tokens["refresh_token"], scope="tutorial:read")).json()

    assert narrowed["refresh_token"] == whole["refresh_token"]
    assert narrowed["scope"] == "tutorial:read"
    assert scopes_of(database_admin, narrowed["access_token"]) == ["tutorial:read"]
    assert again["access_token"] == narrowed["access_token"]


async def test_scopes_that_mean_nothing_here_narrow_nothing(driver: Driver) -> None:
    tokens = await driver.tokens()

    answer = await driver.refresh(tokens["refresh_token"], scope="openid email offline_access")

    assert answer.json()["scope"] == BOTH


async def test_twenty_retries_after_the_answer_has_expired_share_one_new_access_token(
    driver: Driver, clock: DatabaseClock
) -> None:
    tokens = await driver.tokens()
    first = (await driver.refresh(tokens["refresh_token"])).json()
    clock.advance(HOUR)

    answers = await asyncio.gather(*(driver.refresh(tokens["refresh_token"]) for _ in range(20)))

    (answer,) = {answer.text for answer in answers}
    assert first["refresh_token"] in answer
    assert first["access_token"] not in answer


async def test_reuse_ends_one_grant_with_an_audit_event_and_no_other_grant(
    driver: Driver, clock: DatabaseClock, database_admin: psycopg.Connection[Any]
) -> None:
    stolen = await driver.tokens()
    other = (await driver.redeem(await driver.sign_in())).json()
    successor = (await driver.refresh(stolen["refresh_token"])).json()
    newest = (await driver.refresh(successor["refresh_token"])).json()
    clock.advance(61)

    reused = await driver.refresh(stolen["refresh_token"])

    assert (reused.status_code, reused.json()["error"]) == (400, "invalid_grant")
    assert lives(database_admin, newest["access_token"]) is False
    assert lives(database_admin, other["access_token"]) is True
    assert (await driver.refresh(other["refresh_token"])).status_code == 200
    events = database_admin.execute(
        "SELECT action, count(*) FROM app.audit_events"
        " WHERE action IN ('refresh_token:reused', 'grant:ended') GROUP BY action ORDER BY action"
    ).fetchall()
    assert events == [("grant:ended", 1), ("refresh_token:reused", 1)]


@pytest.mark.parametrize(
    "changes", [{"resource": "https://other.example/"}, {"scope": "tutorial:search"}]
)
async def test_reuse_ends_the_family_whatever_the_request_asks_for(
    driver: Driver, clock: DatabaseClock, changes: dict[str, str | None]
) -> None:
    await driver.register()
    issued = await driver.redeem(await driver.sign_in(scope="tutorial:read"))
    stolen = issued.json()["refresh_token"]
    successor = (await driver.refresh(stolen)).json()["refresh_token"]
    newest = (await driver.refresh(successor)).json()["refresh_token"]
    clock.advance(61)

    reused = await driver.refresh(stolen, **changes)

    assert reused.json()["error"] == "invalid_grant"
    assert (await driver.refresh(newest)).json()["error"] == "invalid_grant"


def lives(admin: psycopg.Connection[Any], token: str) -> bool:
    row = admin.execute(
        "SELECT session_ended_at IS NULL AND grant_status <> 'ended'"
        " AND token_expires_at > checked_at FROM app.authenticate_call(%s)",
        (hash_token(token),),
    ).fetchone()
    assert row is not None
    return bool(row[0])


async def test_a_session_of_a_resource_that_is_no_longer_served_signs_in_again(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    database_admin.execute("UPDATE app.sessions SET resource = 'https://old.example/mcp'")

    answers = [
        await driver.refresh(tokens["refresh_token"], resource=asked) for asked in (None, MCP_URL)
    ]

    assert [answer.json()["error"] for answer in answers] == ["invalid_grant"] * 2


async def test_nothing_is_alive_after_a_revocation_that_races_a_refresh(
    driver: Driver, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    held = [await _signed_in(database) for _ in range(RACES)]
    driver.client_id = CLIENT_ID

    async def race(turn: int) -> int:
        access, refresh = held[turn]
        presented = refresh if turn % 4 < 2 else access
        steps = [driver.refresh(refresh), driver.revoke(presented)]
        # Either one first, so that each wins some of the time.
        answers = await asyncio.gather(*(steps if turn % 2 else reversed(steps)))
        return sum(answer.status_code == 200 for answer in answers)

    served: list[int] = []
    for first in range(0, RACES, AT_ONCE):
        served += await asyncio.gather(*(race(first + one) for one in range(AT_ONCE)))

    assert set(served) == {1, 2}, "each side must have won some races"
    assert _count(database_admin, "app.sessions WHERE ended_at IS NULL") == 0
    assert _count(database_admin, "app.grants WHERE ended_cause = 'revoked_by_client'") == RACES
    assert _count(database_admin, "app.revocation_outbox") == RACES


def _count(admin: psycopg.Connection[Any], what: str) -> int:
    row = admin.execute(f"SELECT count(*) FROM {what}").fetchone()  # noqa: S608 - from above
    assert row is not None
    return int(row[0])


async def _signed_in(database: Database) -> tuple[PlainToken, PlainToken]:
    """Access and refresh token of a new grant, without the way through the pages."""
    access, refresh = mint(TokenKind.ACCESS), mint(TokenKind.REFRESH)
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await sessions.open(
            tx,
            session=NewSession(
                session_id=SessionId(new_id()),
                grant_id=grant_id,
                client_id=ClientId(CLIENT_ID),
                resource=MCP_URL,
                scopes=tuple(BOTH.split()),
            ),
            access_hash=hash_token(access),
            access_seconds=HOUR,
            refresh_hash=hash_token(refresh),
            sliding_seconds=30 * DAY,
            absolute_seconds=90 * DAY,
        )
    return access, refresh
