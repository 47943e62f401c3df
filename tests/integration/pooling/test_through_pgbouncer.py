"""What the product promises when PgBouncer gives every transaction another session."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.local_stack.pgbouncer import break_connections
from shared.state.database import (
    CommitUnknownError,
    Database,
    DatabaseUnavailableError,
)
from shared.state.roles import (
    LOCK_TIMEOUT_MILLISECONDS,
    STATEMENT_TIMEOUT_MILLISECONDS,
    AppRole,
    ensure_roles,
)

ROLE = AppRole.MCP_ENDPOINT
POOL_SIZE = 20
CALLERS = 50


@pytest.fixture
async def database(
    database_url: str, database_admin: psycopg.Connection[Any]
) -> AsyncIterator[Database]:
    ensure_roles(database_admin, {ROLE: None})
    database = Database(make_conninfo(database_url, user=ROLE.value))
    yield database
    await database.close()


async def session_of(database: Database) -> int:
    async with database.transaction() as tx:
        row = await tx.row("SELECT pg_backend_pid() AS pid")
    assert row is not None
    return int(row["pid"])


async def two_sessions(database: Database) -> set[int]:
    """Once PgBouncer holds its least number of sessions, transactions take turns on them."""
    async with asyncio.timeout(20):
        while len(seen := {await session_of(database) for _ in range(4)}) < 2:
            pass
    return seen


async def test_one_connection_is_served_by_several_sessions(database: Database) -> None:
    assert len(await two_sessions(database)) >= 2


async def test_the_times_of_the_role_hold_in_every_session(database: Database) -> None:
    await two_sessions(database)
    for _ in range(4):
        async with database.transaction() as tx:
            row = await tx.row(
                "SELECT current_setting('statement_timeout')::interval AS statement,"
                " current_setting('lock_timeout')::interval AS lock"
            )
        assert row is not None
        assert row["statement"].total_seconds() * 1000 == STATEMENT_TIMEOUT_MILLISECONDS[ROLE]
        assert row["lock"].total_seconds() * 1000 == LOCK_TIMEOUT_MILLISECONDS


async def test_a_statement_used_often_is_never_prepared(database: Database) -> None:
    for _ in range(20):
        async with database.autocommit() as tx:
            rows = await tx.rows("SELECT count(*) AS n FROM pg_prepared_statements")
        assert rows[0]["n"] == 0


async def test_a_commit_lost_with_its_session_is_unknown(
    database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    # The check at commit waits: for as long, the session can be ended within COMMIT.
    database_admin.execute(
        """
        CREATE TABLE app.slow_commit (n int);
        GRANT INSERT ON app.slow_commit TO app_mcp_endpoint;
        CREATE FUNCTION app.wait_at_commit() RETURNS trigger LANGUAGE plpgsql AS
            'BEGIN PERFORM pg_sleep(60); RETURN NULL; END';
        CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON app.slow_commit
            DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.wait_at_commit()
        """
    )
    try:
        with pytest.raises(CommitUnknownError):
            await asyncio.gather(_insert(database), asyncio.to_thread(_end_commit, database_admin))
    finally:
        database_admin.execute("DROP TABLE app.slow_commit; DROP FUNCTION app.wait_at_commit()")


async def _insert(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute("INSERT INTO app.slow_commit VALUES (1)")


def _end_commit(admin: psycopg.Connection[Any]) -> None:
    ended = False
    while not ended:
        ended = bool(
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database()"
                " AND query = 'COMMIT' AND wait_event = 'PgSleep'"
            ).fetchall()
        )


async def test_a_lost_pool_costs_one_connect(database: Database, database_url: str) -> None:
    await session_of(database)
    await asyncio.to_thread(break_connections, database_url)

    assert await session_of(database) > 0


async def test_a_pool_without_a_session_left_is_unavailable_in_time(database_url: str) -> None:
    url = make_conninfo(database_url, user=ROLE.value)
    holders = Database(url, connections_max=POOL_SIZE)
    late = Database(url, statement_timeout_seconds=0.2)
    all_held, free = asyncio.Barrier(POOL_SIZE + 1), asyncio.Event()

    async def hold() -> None:
        async with holders.transaction() as tx:
            await tx.row("SELECT 1")
            await all_held.wait()
            await free.wait()

    async with asyncio.TaskGroup() as group:
        for _ in range(POOL_SIZE):
            group.create_task(hold())
        await all_held.wait()
        with pytest.raises(DatabaseUnavailableError):
            await session_of(late)
        free.set()
    assert await session_of(late) > 0
    await holders.close()
    await late.close()


async def test_more_callers_than_sessions_take_turns(database_url: str) -> None:
    databases = [Database(make_conninfo(database_url, user=ROLE.value)) for _ in range(CALLERS)]

    seen = await asyncio.gather(*(session_of(database) for database in databases))

    assert len(set(seen)) <= POOL_SIZE
    for database in databases:
        await database.close()
