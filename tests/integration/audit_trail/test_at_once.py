"""Many writers at once: nobody waits for another, no event is lost, and every chain holds."""

import asyncio
from typing import Any, Final

import psycopg

from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.database import Database
from tests.integration.audit_trail.trail import found

WRITERS: Final = 20
TRANSACTIONS_EACH: Final = 25
EVENTS_EACH: Final = 2


async def _write(database: Database) -> None:
    for _ in range(TRANSACTIONS_EACH):
        async with database.transaction() as tx:
            for _ in range(EVENTS_EACH):
                await audit_events.append(tx, AuditAction.UPSTREAM_REFRESHED)


async def test_of_a_thousand_events_at_once_none_is_lost_and_the_chains_hold(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    databases = [Database(database_url) for _ in range(WRITERS)]

    await asyncio.gather(*(_write(database) for database in databases))

    for database in databases:
        await database.close()
    row = database_admin.execute(
        "SELECT count(*), count(DISTINCT event_id), count(DISTINCT chain) FROM app.audit_events"
    ).fetchone()
    assert row is not None
    assert row[:2] == (1_000, 1_000)
    assert row[2] > 1
    assert found(database_url) == []


async def test_writers_that_hold_rows_of_each_other_do_not_end_in_a_deadlock(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    """One has appended and waits for the other's row; the other appends meanwhile."""
    database_admin.execute("INSERT INTO app.data_keys VALUES (1, 'wrapped', 'key')")
    first, second = Database(database_url), Database(database_url)
    change = "UPDATE app.data_keys SET kms_key_id = 'other' WHERE generation = 1"

    async def append_then_change() -> None:
        async with first.transaction() as tx:
            await audit_events.append(tx, AuditAction.DATA_KEY_REWRAPPED)
            appended.set()
            await tx.execute(change)

    appended = asyncio.Event()
    async with second.transaction() as tx:
        await tx.execute(change)
        waiting = asyncio.create_task(append_then_change())
        await appended.wait()
        await audit_events.append(tx, AuditAction.DATA_KEY_REWRAPPED)
    await waiting

    for database in (first, second):
        await database.close()
    assert found(database_url) == []


async def test_when_all_chains_are_held_an_append_waits_for_one(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> None:
    database = Database(database_url)
    with psycopg.connect(database_url) as holder:
        holder.execute("SELECT 1 FROM app.audit_chains FOR UPDATE")

        async def append() -> None:
            async with database.transaction() as tx:
                await audit_events.append(tx, AuditAction.DATA_KEY_MADE)

        waiting = asyncio.create_task(append())
        blocked = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        while database_admin.execute(blocked).fetchone() == (0,):  # noqa: ASYNC110 - Postgres' wait
            await asyncio.sleep(0)
        holder.commit()
    await waiting

    await database.close()
    assert found(database_url) == []
