"""Once an hour the cleanup counts what no single request shows."""

import json
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from functions.cleanup.security_watch import SecurityWatch
from shared.domain.identifiers import SessionId, new_id
from shared.observability import metrics
from shared.state import security_watch, session_networks
from shared.state.database import Database, Transaction
from shared.state.roles import AppRole
from tests.support.clock import DatabaseClock

Admin = psycopg.Connection[Any]
MANY = security_watch.BULK_ITEMS_MIN
NAMES = ("BulkReaders", "SessionsOnManyNetworks")


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """With the rights of the cleanup."""
    opened = Database(make_conninfo(database_url, user=AppRole.CLEANUP.value))
    yield opened
    await opened.close()


async def on_the_hour(_tx: Transaction) -> int:
    return 4


async def later(_tx: Transaction) -> int:
    return 5


def read(
    admin: Admin,
    person: int,
    items: int,
    *,
    times: int = 1,
    ago: str = "1 hour",
    outcome: str = "ok",
) -> None:
    """A person has read the items numbered from 1, each so many times."""
    admin.execute(
        "INSERT INTO app.usage_events (event_id, occurred_at, user_id, client_id, tool, outcome,"
        " content_id, duration_milliseconds)"
        " SELECT gen_random_uuid(), app.now() - %s::interval, lpad(%s::text, 32, '0')::uuid,"
        " 'client-1', 'get_tutorial', %s, item::text, 1"
        " FROM generate_series(1, %s) AS item, generate_series(1, %s)",
        [ago, person, outcome, items, times],
    )


async def hourly(database: Database, capsys: pytest.CaptureFixture[str]) -> dict[str, list[float]]:
    """What the first tick of an hour emits, by the metric's name."""
    metrics.flush()
    capsys.readouterr()
    await SecurityWatch(database, minute_of_hour=on_the_hour).run()
    metrics.flush()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line]
    return {name: line[name] for line in lines for name in NAMES if name in line}


async def test_people_who_read_more_than_anybody_does_by_hand_are_counted(
    database: Database, database_admin: Admin, capsys: pytest.CaptureFixture[str]
) -> None:
    read(database_admin, 1, MANY)
    read(database_admin, 2, MANY - 1, times=3)
    read(database_admin, 3, MANY, ago="25 hours")
    read(database_admin, 4, MANY, outcome="content_not_found")

    assert (await hourly(database, capsys))["BulkReaders"] == [1]


async def test_sessions_that_many_networks_use_are_counted_for_a_day(
    database: Database,
    database_url: str,
    clock: DatabaseClock,
    capsys: pytest.CaptureFixture[str],
) -> None:
    endpoint = Database(make_conninfo(database_url, user=AppRole.MCP_ENDPOINT.value))
    many, fewer = SessionId(new_id()), SessionId(new_id())
    async with endpoint.transaction() as tx:
        for number in range(session_networks.NETWORKS_MAX + 5):
            await session_networks.note(tx, many, f"198.51.{number}.0/24")
        for number in range(session_networks.NETWORKS_MANY - 1):
            for _ in range(2):
                await session_networks.note(tx, fewer, f"198.51.{number}.0/24")
    await endpoint.close()

    first = await hourly(database, capsys)
    async with database.autocommit() as tx:
        kept = await tx.row("SELECT count(*) AS kept FROM app.session_networks")
    clock.advance(86_400)

    assert first["SessionsOnManyNetworks"] == [1]
    assert kept == {"kept": session_networks.NETWORKS_MAX + session_networks.NETWORKS_MANY - 1}
    assert (await hourly(database, capsys))["SessionsOnManyNetworks"] == [0]


async def test_an_hour_without_any_is_told_too(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await hourly(database, capsys) == {name: [0] for name in NAMES}


async def test_the_other_ticks_of_an_hour_look_at_nothing(database: Database) -> None:
    assert await SecurityWatch(database, minute_of_hour=later).run() == {}
