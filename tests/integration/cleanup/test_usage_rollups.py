"""Usage becomes counts by hour and day: once, whole, whatever comes late, and without people."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from typing import Any, LiteralString
from uuid import uuid4

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row

from functions.cleanup import usage_rollups as chore
from functions.cleanup.usage_rollups import UsageRollUps
from shared.state import usage_days
from shared.state.database import Database
from shared.state.retention import RULES, purge
from shared.state.roles import AppRole
from tests.support.clock import DatabaseClock
from tests.support.usage_rows import Used, a_reading, a_search, keep

Admin = psycopg.Connection[Any]
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
ROLLED_UP: tuple[LiteralString, ...] = (
    "SELECT * FROM app.usage_hours ORDER BY starts_at, tool, client_family, outcome",
    "SELECT * FROM app.usage_days ORDER BY day, tool, client_family, outcome",
    "SELECT * FROM app.usage_day_people ORDER BY day, window_days, segment",
    "SELECT * FROM app.usage_day_access ORDER BY day, access",
    "SELECT * FROM app.usage_day_content ORDER BY day, content_id",
    "SELECT * FROM app.usage_day_queries ORDER BY day, query",
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """As the cleanup's own role: what it may not do, it cannot do here either."""
    opened = Database(make_conninfo(database_url, user=AppRole.CLEANUP.value))
    yield opened
    await opened.close()


@pytest.fixture
def midnight(clock: DatabaseClock, database_admin: Admin) -> datetime:
    """The beginning of the present day (UTC); the clock stands still at noon."""
    clock.stop()
    found = database_admin.execute("SELECT date_trunc('day', app.now(), 'UTC'), app.now()")
    row = found.fetchone()
    assert row is not None
    day: datetime = row[0]
    clock.advance((day + 12 * HOUR - row[1]).total_seconds())
    return day


async def roll(database: Database, *, seconds_left: float = 100.0) -> dict[str, int]:
    return await UsageRollUps(database, seconds_left=lambda: seconds_left).run()


def rows(admin: Admin, statement: LiteralString) -> list[dict[str, Any]]:
    with admin.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(statement).fetchall()


def everything(admin: Admin) -> list[list[dict[str, Any]]]:
    return [rows(admin, statement) for statement in ROLLED_UP]


def totals(admin: Admin, *columns: str) -> tuple[int, ...]:
    found = rows(admin, "SELECT * FROM app.usage_days")
    return tuple(sum(row[column] for row in found) for column in columns)


async def test_an_hour_is_counted_when_it_has_ended_and_a_day_when_its_hours_are_settled(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    keep(database_admin, a_search(midnight + 12 * HOUR, uuid4()))
    assert await roll(database) == {"usage_hours_rolled": 0, "usage_days_rolled": 0}
    clock.advance(3_600 + 119)
    assert await roll(database) == {"usage_hours_rolled": 0, "usage_days_rolled": 0}
    clock.advance(2)
    assert await roll(database) == {"usage_hours_rolled": 1, "usage_days_rolled": 0}
    assert await roll(database) == {"usage_hours_rolled": 0, "usage_days_rolled": 0}
    clock.advance(13 * 3_600)
    # The new hours, and the first once more: it is settled.
    assert await roll(database) == {"usage_hours_rolled": 14, "usage_days_rolled": 1}

    assert [row["calls"] for row in rows(database_admin, ROLLED_UP[0])] == [1]
    assert totals(database_admin, "calls", "searches") == (1, 1)


async def test_what_was_chosen_from_a_search_counts_for_it_also_across_the_hour(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    person, at = uuid4(), midnight + 9 * HOUR + timedelta(minutes=50)
    search, empty = a_search(at, person), a_search(at, person, "vews", result_count=0)
    next_page = a_search(at, person, first_rank=11)
    after: dict[str, Any] = {"search_id": search.event_id, "search_rank": 2}
    keep(
        database_admin,
        search,
        empty,
        next_page,
        a_reading(at + timedelta(minutes=20), person, **after),
        a_reading(at + timedelta(minutes=21), person, continues=True),
        a_reading(
            at + timedelta(minutes=22),
            person,
            "8",
            entitlement="refused",
            outcome="subscription_required",
            search_id=search.event_id,
            search_rank=3,
        ),
        a_reading(at + timedelta(minutes=23), person, "9"),
        Used(at=at, user_id=person, tool="account_status"),
    )
    clock.advance(DAY.total_seconds())
    await roll(database)

    assert totals(database_admin, "calls", "searches", "empty_searches") == (8, 2, 1)
    assert totals(database_admin, "pages_found", "pages_chosen") == (2, 1)
    assert totals(database_admin, "readings", "refused_readings") == (3, 1)
    assert totals(database_admin, "ranked_readings", "ranks_total") == (2, 5)
    content = rows(database_admin, ROLLED_UP[4])
    assert [(one["content_id"], one["readings"], one["refused_readings"]) for one in content] == [
        ("7", 1, 0),
        ("8", 1, 1),
        ("9", 1, 0),
    ]


async def test_rolling_up_again_changes_nothing_and_late_rows_are_counted(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    people = [uuid4() for _ in range(6)]
    for number, person in enumerate(people):
        keep(database_admin, a_search(midnight + number * HOUR, person))
    clock.advance(DAY.total_seconds())
    await roll(database)
    counted = everything(database_admin)
    with database_admin.transaction():
        database_admin.execute("UPDATE app.usage_rolled SET rolled_at = '2000-01-01'")
    again = await roll(database)

    assert again["usage_hours_rolled"] >= 24
    assert everything(database_admin) == counted

    clock.advance(2 * 3_600)
    keep(database_admin, a_search(midnight + 3 * HOUR, people[0], family="cursor"))
    late = await roll(database)

    # The late row's hour, the one before it, and those that have ended meanwhile.
    assert late["usage_days_rolled"] == 1
    assert totals(database_admin, "calls") == (7,)
    assert sum(row["calls"] for row in rows(database_admin, ROLLED_UP[0])) == 7


async def test_a_run_that_is_stopped_is_taken_up_by_the_next(
    database: Database,
    database_admin: Admin,
    clock: DatabaseClock,
    midnight: datetime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for number in range(10):
        keep(database_admin, a_search(midnight + number * HOUR, uuid4()))
    clock.advance(DAY.total_seconds())
    monkeypatch.setattr(chore, "HOURS_MAX", 4)

    assert await roll(database, seconds_left=chore.BATCH_SECONDS_MAX) == {
        "usage_hours_rolled": 0,
        "usage_days_rolled": 0,
    }
    runs = [await roll(database) for _ in range(9)]

    assert [run["usage_hours_rolled"] for run in runs] == [4] * 8 + [3]
    assert [run["usage_days_rolled"] for run in runs] == [0] * 5 + [1, 0, 0, 0]
    assert totals(database_admin, "calls") == (10,)


async def test_two_runs_at_once_count_everything_once(
    database: Database,
    database_url: str,
    database_admin: Admin,
    clock: DatabaseClock,
    midnight: datetime,
) -> None:
    for number in range(4):
        keep(database_admin, a_search(midnight + number * HOUR, uuid4()))
    clock.advance(DAY.total_seconds())
    other = Database(make_conninfo(database_url, user=AppRole.CLEANUP.value))
    try:
        await asyncio.gather(roll(database), roll(other))
    finally:
        await other.close()

    assert totals(database_admin, "calls", "searches") == (4, 4)
    assert sum(row["calls"] for row in rows(database_admin, ROLLED_UP[0])) == 4


async def test_people_are_counted_over_days_and_small_segments_are_not_told(
    database: Database, database_admin: Admin, midnight: datetime
) -> None:
    people = [uuid4() for _ in range(7)]
    for person in people[:5]:
        keep(database_admin, a_search(midnight + HOUR, person))
    for person in people[5:]:
        keep(database_admin, a_search(midnight + HOUR, person, family="cursor"))
    # Two were here ten days ago, one of them four weeks ago too.
    keep(database_admin, *(a_search(midnight - 10 * DAY, person) for person in people[:2]))
    keep(database_admin, a_search(midnight - 29 * DAY, people[0]))
    async with database.transaction() as tx:
        await usage_days.roll_day(tx, midnight)

    found = {
        (row["window_days"], row["segment"]): (row["people"], row["returning_people"])
        for row in rows(database_admin, ROLLED_UP[2])
    }
    assert found[1, "all"] == (7, 2)
    assert found[7, "all"] == (7, 2)
    assert found[28, "all"] == (7, 1)
    assert found[1, "family:claude"] == (5, 2)
    assert found[1, "family:cursor"] == (None, None)


async def test_members_are_told_from_others_by_what_the_site_showed_and_refused(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    member, free, lapsed, unknown, unable = (uuid4() for _ in range(5))
    refused = {"entitlement": "refused", "outcome": "subscription_required"}
    keep(
        database_admin,
        a_reading(midnight + HOUR, member, "for members"),
        a_reading(midnight + HOUR, member, "for all"),
        a_reading(midnight + HOUR, free, "for members", **refused),
        a_reading(midnight + HOUR, free, "for all"),
        a_reading(midnight + HOUR, lapsed, "for members"),
        a_reading(midnight + 2 * HOUR, lapsed, "for members", **refused),
        a_reading(midnight + HOUR, unknown, "for all"),
        a_search(midnight + HOUR, unable, may_read=False),
    )
    clock.advance(DAY.total_seconds())
    await roll(database)

    found = rows(database_admin, ROLLED_UP[3])
    assert {row["access"]: (row["calls"], row["refused_readings"]) for row in found} == {
        "member": (2, 0),
        "free": (4, 2),
        "unknown": (1, 0),
        "no_scope": (1, 0),
    }
    assert {row["people"] for row in found} == {None}


async def test_a_query_is_named_only_when_several_people_have_asked_it(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    for _ in range(usage_days.QUERY_PEOPLE_MIN):
        keep(database_admin, a_search(midnight + HOUR, uuid4(), "views"))
    rare = uuid4()
    keep(database_admin, *(a_search(midnight + HOUR, rare, "maya miller") for _ in range(9)))
    clock.advance(DAY.total_seconds())
    await roll(database)

    found = rows(database_admin, ROLLED_UP[5])
    assert {row["query"]: row["searches"] for row in found} == {"": 9, "views": 3}


async def test_roll_ups_outlive_the_rows_of_people_and_hold_none_of_them(
    database: Database, database_admin: Admin, clock: DatabaseClock, midnight: datetime
) -> None:
    person = uuid4()
    keep(database_admin, a_search(midnight, person, "views of maya"), a_reading(midnight, person))
    clock.advance(DAY.total_seconds())
    await roll(database)
    kept = everything(database_admin)
    clock.advance(91 * DAY.total_seconds())
    async with database.autocommit() as tx:
        for rule in RULES:
            await purge(tx, rule, limit=100)

    assert rows(database_admin, "SELECT * FROM app.usage_events") == []
    assert everything(database_admin)[:2] == kept[:2]
    assert str(person) not in str(everything(database_admin))
    assert "maya" not in str(everything(database_admin))
