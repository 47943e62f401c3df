"""The cleanup ends grants that nobody can use any more, and none that is used at that moment."""

import asyncio
from typing import Any, LiteralString

import psycopg

from shared.domain.identifiers import GrantId
from shared.state import grants, sessions
from shared.state.database import Database
from tests.integration.state.pieces import DAY, HOUR, add_session
from tests.support.clock import DatabaseClock

LOOKS_MAX = 20_000
_SLOW_CLOCK: LiteralString = """
    CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE AS $$
    BEGIN
        PERFORM pg_advisory_xact_lock_shared(42);
        RETURN pg_catalog.now() + interval '31 days';
    END $$
"""


async def lapsed(database: Database) -> list[GrantId]:
    async with database.transaction() as tx:
        return await grants.lock_lapsed(tx, limit=10)


async def test_a_grant_whose_token_is_being_refreshed_is_no_lapsed_one(
    database: Database, clock: DatabaseClock
) -> None:
    session = await add_session(database, access_seconds=HOUR)
    async with database.transaction() as tx:
        assert await sessions.lock_refresh_token(tx, session.refresh_hash) is not None
        clock.advance(31 * DAY)
        held = await asyncio.create_task(lapsed(database))

    assert (held, await lapsed(database)) == ([], [session.grant_id])


async def test_a_grant_that_was_refreshed_while_lapsed_ones_were_looked_for_is_not_ended(
    database: Database, clock: DatabaseClock, database_admin: psycopg.Connection[Any]
) -> None:
    await add_session(database, access_seconds=HOUR)
    clock.advance(31 * DAY)
    # The look-up has its snapshot, and waits inside of it for as long as this lock is held.
    database_admin.execute(_SLOW_CLOCK)
    database_admin.execute("SELECT pg_advisory_lock(42)")
    looking = asyncio.create_task(lapsed(database))
    await until_somebody_waits(database_admin)
    database_admin.execute("UPDATE app.refresh_tokens SET expires_at = 'infinity'")
    database_admin.execute("SELECT pg_advisory_unlock(42)")

    assert await looking == []


async def until_somebody_waits(admin: psycopg.Connection[Any]) -> None:
    def look_again() -> None:
        statement = "SELECT 1 FROM pg_locks WHERE NOT granted AND locktype = 'advisory'"
        looks = (admin.execute(statement).fetchone() for _ in range(LOOKS_MAX))
        assert any(looks)

    await asyncio.to_thread(look_again)
