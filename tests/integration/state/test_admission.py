"""Calls let in or refused in the request's one look-up: by rate, and by what runs already."""

import asyncio
from dataclasses import replace

import pytest

from shared.domain.identifiers import CallId, UserId, new_id
from shared.domain.rate_limits import RATE_LIMITS, LimitName
from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenHash
from shared.state import calls, sessions
from shared.state.calls import Admission, CallRecord, CallRefusal, EndedCall
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.integration.state.pieces import HOUR, RESOURCE, StoredSession, add_session, value
from tests.integration.state.test_roles import As, as_role
from tests.support.clock import DatabaseClock

__all__ = ["as_role"]

SLOTS = 3
READINGS = RATE_LIMITS[LimitName.READINGS_BY_PERSON]


def admission(
    *, limit: LimitName = LimitName.READINGS_BY_PERSON, slots: int = SLOTS, resource: str = RESOURCE
) -> Admission:
    return Admission(
        call_id=CallId(new_id()),
        limit=limit,
        resource=resource,
        slots=slots,
        lasts_seconds=30.0,
    )


async def enter(database: Database, token_hash: TokenHash, asked: Admission) -> CallRecord:
    async with database.autocommit() as tx:
        record = await calls.authenticate(tx, token_hash, asked)
    assert record is not None
    return record


async def leave(database: Database, record: CallRecord, asked: Admission) -> None:
    assert record.call is not None
    grant = record.call.grant
    async with database.autocommit() as tx:
        await calls.close(
            tx,
            EndedCall(
                user_id=grant.user_id, grant_id=grant.grant_id, call_id=asked.call_id, usage=None
            ),
        )


@pytest.fixture
async def session(database: Database) -> StoredSession:
    return await add_session(database)


async def test_a_person_gets_so_many_slots_and_the_next_call_is_refused(
    database: Database, session: StoredSession
) -> None:
    asked = [admission() for _ in range(SLOTS + 1)]
    records = [await enter(database, session.access_hash, one) for one in asked]
    await leave(database, records[1], asked[1])
    after = await enter(database, session.access_hash, admission())

    assert [record.refusal for record in records] == [None] * SLOTS + [CallRefusal.IN_FLIGHT]
    assert after.refusal is None


async def test_one_persons_calls_take_nobody_elses_slots(
    database: Database, session: StoredSession
) -> None:
    other = await add_session(database)
    for _ in range(SLOTS):
        await enter(database, session.access_hash, admission())

    assert (await enter(database, other.access_hash, admission())).refusal is None
    assert (await enter(database, session.access_hash, admission())).refusal is not None


async def test_a_call_that_never_said_it_ended_frees_its_slot_by_database_time(
    database: Database, session: StoredSession, clock: DatabaseClock
) -> None:
    for _ in range(SLOTS):
        await enter(database, session.access_hash, admission())
    clock.advance(29)
    before = await enter(database, session.access_hash, admission())
    clock.advance(2)
    after = await enter(database, session.access_hash, admission())

    assert (before.refusal, after.refusal) == (CallRefusal.IN_FLIGHT, None)


async def test_calls_that_come_at_the_same_moment_share_the_slots_exactly(
    database_url: str, database: Database, session: StoredSession
) -> None:
    crowd = Database(database_url, connections_max=8)
    records = await asyncio.gather(
        *(enter(crowd, session.access_hash, admission()) for _ in range(16))
    )
    await crowd.close()

    assert [record.refusal for record in records].count(None) == SLOTS
    assert await value(database, "SELECT count(*) FROM app.calls_in_flight") == SLOTS


async def test_a_burst_is_let_in_then_one_call_in_each_gap(
    database: Database, session: StoredSession, clock: DatabaseClock
) -> None:
    asked = admission(slots=1_000)
    calls_at_once = [replace(asked, call_id=CallId(new_id())) for _ in range(READINGS.burst)]
    burst = [(await enter(database, session.access_hash, one)).refusal for one in calls_at_once]
    refused = await enter(database, session.access_hash, asked)
    assert refused.wait_seconds is not None
    clock.advance(refused.wait_seconds)
    later = await enter(database, session.access_hash, asked)
    again = await enter(database, session.access_hash, asked)

    gap_seconds = READINGS.seconds_each
    assert burst == [None] * READINGS.burst
    assert refused.refusal is CallRefusal.RATE
    assert 0 < refused.wait_seconds <= gap_seconds
    assert (later.refusal, again.refusal) == (None, CallRefusal.RATE)


async def test_what_is_refused_by_its_rate_takes_no_slot_and_classes_are_counted_apart(
    database: Database, session: StoredSession
) -> None:
    for _ in range(READINGS.burst + 3):
        asked = admission()
        record = await enter(database, session.access_hash, asked)
        await leave(database, record, asked)
    refused = await enter(database, session.access_hash, admission())
    another = admission(limit=LimitName.SEARCHES_BY_PERSON)
    search = await enter(database, session.access_hash, another)

    assert (refused.refusal, search.refusal) == (CallRefusal.RATE, None)
    assert await value(database, "SELECT count(*) FROM app.calls_in_flight") == 1


@pytest.mark.parametrize("why", ["expired", "ended", "foreign"])
async def test_a_token_that_does_not_count_takes_nothing(
    database: Database, clock: DatabaseClock, why: str
) -> None:
    session = await add_session(database, access_seconds=HOUR)
    if why == "expired":
        clock.advance(HOUR)
    if why == "ended":
        async with database.transaction() as tx:
            await sessions.end(tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT)
    resource = "https://other.example/mcp" if why == "foreign" else RESOURCE
    record = await enter(database, session.access_hash, admission(resource=resource))

    assert record.refusal is None
    for table in ("app.calls_in_flight", "app.rate_limits"):
        assert await value(database, f"SELECT count(*) FROM {table}") == 0  # noqa: S608


async def test_a_call_is_let_in_and_ended_by_the_role_of_its_function(
    database: Database, session: StoredSession, as_role: As
) -> None:
    own = as_role(AppRole.MCP_ENDPOINT)
    asked = admission()
    record = await enter(own, session.access_hash, asked)
    await leave(own, record, asked)

    assert await value(database, "SELECT count(*) FROM app.calls_in_flight") == 0


async def test_a_call_of_somebody_else_is_not_ended(
    database: Database, session: StoredSession
) -> None:
    asked = admission()
    record = await enter(database, session.access_hash, asked)
    assert record.call is not None
    async with database.autocommit() as tx:
        await calls.close(
            tx,
            EndedCall(
                user_id=UserId(new_id()),
                grant_id=record.grant_id,
                call_id=asked.call_id,
                usage=None,
            ),
        )

    assert await value(database, "SELECT count(*) FROM app.calls_in_flight") == 1


async def test_a_load_test_multiplies_the_rates(
    database: Database, session: StoredSession, clock: DatabaseClock
) -> None:
    clock.stop()  # the rate fills up again while a slow machine makes the calls
    asked = replace(admission(slots=1_000), limit_factor=2)
    calls_at_once = [replace(asked, call_id=CallId(new_id())) for _ in range(2 * READINGS.burst)]
    records = [await enter(database, session.access_hash, one) for one in calls_at_once]

    assert [record.refusal for record in records] == [None] * 2 * READINGS.burst
    assert (await enter(database, session.access_hash, asked)).refusal is CallRefusal.RATE
