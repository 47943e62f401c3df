"""A grant's life: leased, refreshed, suspended, ended; every pair stored at most once."""

import asyncio
import uuid
from datetime import timedelta
from uuid import UUID

import pytest

from shared.domain.grants import Grant, GrantStatus, SealedPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.sessions import EndCause
from shared.state import grants, revocation_outbox, sessions, suspended_grants
from shared.state.database import Database
from tests.integration.state.pieces import (
    CLIENT_ID,
    DAY,
    HOUR,
    NEXT_PAIR,
    PAIR,
    add_grant,
    add_session,
    grant_row,
    value,
)
from tests.support.clock import DatabaseClock

LEASE_SECONDS = 12.0


async def claim(
    database: Database, grant_id: GrantId, *, generation: int = 1, owner: UUID | None = None
) -> Grant | None:
    async with database.transaction() as tx:
        return await grants.claim(
            tx,
            grant_id=grant_id,
            pair_generation=generation,
            lease_owner=owner or uuid.uuid4(),
            lease_seconds=LEASE_SECONDS,
        )


async def store(
    database: Database,
    grant_id: GrantId,
    *,
    generation: int = 1,
    pair: SealedPair = NEXT_PAIR,
    refresh_after_seconds: float | None = None,
) -> bool:
    async with database.transaction() as tx:
        return await grants.store_pair(
            tx,
            grant_id=grant_id,
            pair_generation=generation,
            pair=pair,
            life_seconds=HOUR,
            refresh_after_seconds=refresh_after_seconds,
        )


async def end(
    database: Database, grant_id: GrantId, cause: EndCause = EndCause.REVOKED_BY_CLIENT
) -> bool:
    async with database.transaction() as tx:
        return bool(await grants.end(tx, grant_id=grant_id, cause=cause))


async def find(database: Database, grant_id: GrantId) -> Grant | None:
    async with database.autocommit() as tx:
        return await grants.find(tx, grant_id)


async def due(database: Database, limit: int = 10) -> list[tuple[GrantId, int]]:
    async with database.transaction() as tx:
        return await grants.due(tx, limit=limit, push_seconds=600)


async def test_a_grant_comes_back_with_all_that_opening_its_pair_needs(
    database: Database,
) -> None:
    grant_id = await add_grant(database, subject="17")
    found = await find(database, grant_id)

    assert found is not None
    assert (found.subject, found.client_id, found.pair) == ("17", CLIENT_ID, PAIR)
    assert (found.status, found.pair_generation) == (GrantStatus.ACTIVE, 1)
    assert len(found.user_salt) == 32
    assert await find(database, GrantId(new_id())) is None


async def test_of_two_workers_one_gets_the_lease(database: Database) -> None:
    grant_id = await add_grant(database)

    claimed = await asyncio.gather(*(claim(database, grant_id) for _ in range(10)))

    assert len([one for one in claimed if one is not None]) == 1


async def test_a_lease_is_over_by_the_clock_of_the_database(
    database: Database, clock: DatabaseClock
) -> None:
    grant_id = await add_grant(database)
    assert await claim(database, grant_id) is not None
    clock.advance(LEASE_SECONDS - 2)
    assert await claim(database, grant_id) is None

    clock.advance(4)

    assert await claim(database, grant_id) is not None


async def test_only_its_owner_gives_a_lease_back(database: Database) -> None:
    grant_id, owner = await add_grant(database), uuid.uuid4()
    await claim(database, grant_id, owner=owner)

    async with database.transaction() as tx:
        await grants.release(tx, grant_id=grant_id, lease_owner=uuid.uuid4())
    assert await claim(database, grant_id) is None
    async with database.transaction() as tx:
        await grants.release(tx, grant_id=grant_id, lease_owner=owner)

    assert await claim(database, grant_id) is not None


async def test_a_pair_that_moved_on_is_neither_leased_nor_replaced(database: Database) -> None:
    grant_id = await add_grant(database)

    assert await store(database, grant_id, generation=1)
    assert await claim(database, grant_id, generation=1) is None
    assert not await store(
        database, grant_id, generation=1, pair=SealedPair(ciphertext=b"old", key_generation=1)
    )

    found = await find(database, grant_id)
    assert found is not None
    assert (found.pair, found.pair_generation) == (NEXT_PAIR, 2)


async def test_of_many_stored_at_once_one_is_kept(database: Database) -> None:
    grant_id = await add_grant(database)

    stored = await asyncio.gather(*(store(database, grant_id) for _ in range(10)))

    assert stored.count(True) == 1


async def test_a_late_worker_stores_the_only_living_pair_though_its_lease_is_over(
    database: Database, clock: DatabaseClock
) -> None:
    grant_id = await add_grant(database)
    await claim(database, grant_id)
    clock.advance(LEASE_SECONDS + 1)
    second = await claim(database, grant_id)

    assert second is not None
    assert await store(database, grant_id)
    assert not await store(database, grant_id)


async def test_a_stored_pair_ends_lease_and_failures_and_no_suspension(
    database: Database,
) -> None:
    grant_id = await add_grant(database)
    await claim(database, grant_id)
    async with database.transaction() as tx:
        await grants.suspend(tx, grant_id=grant_id, seconds=300)
        await grants.back_off(tx, grant_id=grant_id, seconds=60)

    await store(database, grant_id)

    row = await grant_row(database, grant_id)
    assert row["status"] == "suspended"
    assert row["suspended_until"] is not None
    assert (row["lease_owner"], row["lease_until"], row["refresh_failures"]) == (None, None, 0)
    assert row["refresh_at"] is None


async def test_a_suspended_grant_is_refreshed_on_demand_only(database: Database) -> None:
    grant_id = await add_grant(database, refresh_after_seconds=0)
    async with database.transaction() as tx:
        await grants.suspend(tx, grant_id=grant_id, seconds=300)
        now = await tx.row("SELECT app.now() AS now")

    found = await find(database, grant_id)
    assert found is not None
    assert now is not None
    assert found.suspended_until == now["now"] + timedelta(seconds=300)
    assert await due(database) == []
    assert await claim(database, grant_id) is not None


async def test_a_suspended_grant_gives_one_try_when_its_time_is_over(
    database: Database, clock: DatabaseClock
) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        assert not await suspended_grants.begin_try(tx, grant_id, seconds=30)
        assert not await suspended_grants.lift(tx, grant_id)
        await grants.suspend(tx, grant_id=grant_id, seconds=300)
        assert not await suspended_grants.begin_try(tx, grant_id, seconds=30)
    clock.advance(300)

    async with database.transaction() as tx:
        tries = [await suspended_grants.begin_try(tx, grant_id, seconds=30) for _ in range(2)]
        assert await suspended_grants.lift(tx, grant_id)

    assert tries == [True, False]
    row = await grant_row(database, grant_id)
    assert (row["status"], row["suspended_until"]) == ("active", None)


async def test_the_end_of_a_grant_ends_its_sessions_with_the_same_cause_and_is_told_once(
    database: Database,
) -> None:
    grant_id = await add_grant(database)
    already = await add_session(database, grant_id)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=already.session_id, cause=EndCause.EXPIRED)
    for _ in range(2):
        await add_session(database, grant_id)
    other = await add_session(database)

    ended = [
        await end(database, grant_id, EndCause.REJECTED_UPSTREAM),
        await end(database, grant_id, EndCause.REVOKED_BY_CLIENT),
    ]

    async with database.autocommit() as tx:
        causes = await tx.rows(
            "SELECT ended_cause AS cause, count(*) AS n FROM app.sessions"
            " WHERE grant_id = %(id)s GROUP BY 1",
            {"id": grant_id},
        )
        alive = await sessions.access_token_lives(tx, other.access_hash)
        told = await tx.rows("SELECT grant_id FROM app.revocation_outbox")
    assert ended == [True, False]
    assert {one["cause"]: one["n"] for one in causes} == {"rejected_upstream": 2, "expired": 1}
    assert alive
    assert told == [{"grant_id": grant_id}]
    assert (await grant_row(database, grant_id))["ended_cause"] == "rejected_upstream"


async def test_of_many_ends_at_once_one_counts(database: Database) -> None:
    grant_id = await add_grant(database)

    ended = await asyncio.gather(*(end(database, grant_id) for _ in range(10)))

    assert ended.count(True) == 1
    assert await value(database, "SELECT count(*) FROM app.revocation_outbox") == 1


async def test_an_end_rolled_back_leaves_the_grant_as_it_was(database: Database) -> None:
    session = await add_session(database)

    async def end_and_fail() -> None:
        async with database.transaction() as tx:
            await grants.end(tx, grant_id=session.grant_id, cause=EndCause.EXPIRED)
            raise LookupError

    with pytest.raises(LookupError):
        await end_and_fail()

    async with database.autocommit() as tx:
        assert await sessions.access_token_lives(tx, session.access_hash)
    assert await value(database, "SELECT count(*) FROM app.revocation_outbox") == 0


async def test_nothing_brings_an_ended_grant_back(database: Database) -> None:
    grant_id = await add_grant(database, refresh_after_seconds=0)
    await end(database, grant_id)

    assert await claim(database, grant_id) is None
    assert not await store(database, grant_id)
    async with database.transaction() as tx:
        await grants.suspend(tx, grant_id=grant_id, seconds=1)
        await grants.back_off(tx, grant_id=grant_id, seconds=1)
    assert await due(database) == []
    assert (await grant_row(database, grant_id))["status"] == "ended"


async def test_an_ended_grant_keeps_its_pair_until_the_site_was_told(database: Database) -> None:
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        await grants.forget_pair(tx, grant_id)
    assert await find(database, grant_id) is not None

    await end(database, grant_id)
    ended = await find(database, grant_id)
    async with database.transaction() as tx:
        await grants.forget_pair(tx, grant_id)

    assert ended is not None
    assert ended.pair == PAIR
    assert await find(database, grant_id) is None
    assert await value(database, "SELECT count(*) FROM app.revocation_outbox") == 0


async def test_only_what_is_due_is_refreshed_in_the_background_oldest_first(
    database: Database, clock: DatabaseClock
) -> None:
    later = await add_grant(database, refresh_after_seconds=200)
    sooner = await add_grant(database, refresh_after_seconds=100)
    await add_grant(database, refresh_after_seconds=HOUR)
    await add_grant(database, refresh_after_seconds=None)
    assert await due(database) == []
    clock.advance(300)

    assert await due(database, limit=1) == [(sooner, 1)]
    assert await due(database) == [(later, 1)]
    assert await due(database) == []


async def test_two_ticks_never_share_a_grant(database: Database) -> None:
    added = {await add_grant(database, refresh_after_seconds=0) for _ in range(20)}
    both_hold = asyncio.Barrier(2)

    async def tick() -> set[GrantId]:
        async with database.transaction() as tx:
            taken = await grants.due(tx, limit=10, push_seconds=600)
            # Neither waits for the other's commit.
            await both_hold.wait()
        return {grant_id for grant_id, _ in taken}

    first, second = await asyncio.wait_for(asyncio.gather(tick(), tick()), timeout=10)

    assert (len(first), len(second)) == (10, 10)
    assert first | second == added


async def test_a_failure_is_counted_and_moves_the_next_try(
    database: Database, clock: DatabaseClock
) -> None:
    scheduled = await add_grant(database, refresh_after_seconds=0)
    on_demand = await add_grant(database)
    async with database.transaction() as tx:
        for _ in range(2):
            await grants.back_off(tx, grant_id=scheduled, seconds=60)
        await grants.back_off(tx, grant_id=on_demand, seconds=60)
    assert await due(database) == []
    clock.advance(61)

    assert await due(database) == [(scheduled, 1)]
    assert (await grant_row(database, scheduled))["refresh_failures"] == 2
    assert (await grant_row(database, on_demand))["refresh_at"] is None


async def test_a_grant_lapses_when_no_client_can_use_it_any_more(
    database: Database, clock: DatabaseClock
) -> None:
    async def lapsed() -> set[GrantId]:
        async with database.autocommit() as tx:
            return set(await grants.lock_lapsed(tx, limit=10))

    never_redeemed = await add_grant(database)
    used = await add_session(database)
    ended = await add_session(database)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=ended.session_id, cause=EndCause.REVOKED_BY_CLIENT)
    assert await lapsed() == set()

    clock.advance(HOUR + 5)
    assert await lapsed() == {never_redeemed, ended.grant_id}
    clock.advance(30 * DAY)
    assert await lapsed() == {never_redeemed, ended.grant_id, used.grant_id}


async def test_a_revocation_is_tried_by_one_at_a_time_until_the_site_was_told(
    database: Database, clock: DatabaseClock
) -> None:
    grant_id = await add_grant(database)
    await end(database, grant_id)

    async def pending() -> list[tuple[GrantId, int]]:
        async with database.transaction() as tx:
            found = await revocation_outbox.due(tx, limit=5, push_seconds=60)
        return [(one.grant_id, one.tries) for one in found]

    at_once = await asyncio.gather(*(pending() for _ in range(5)))
    clock.advance(61)
    again = await pending()
    async with database.transaction() as tx:
        await revocation_outbox.postpone(tx, grant_id=grant_id, seconds=HOUR)
    clock.advance(61)
    postponed = await pending()
    clock.advance(HOUR)
    last = await pending()

    assert [one for some in at_once for one in some] == [(grant_id, 1)]
    assert (again, postponed, last) == ([(grant_id, 2)], [], [(grant_id, 3)])
