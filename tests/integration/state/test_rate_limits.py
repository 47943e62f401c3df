"""GCRA in the database: so many at once, one more after each interval, never more."""

import asyncio
import contextlib
from fractions import Fraction
from typing import Any

import psycopg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from shared.domain.rate_limits import LimitName, RateLimit
from shared.state import rate_limits
from shared.state.database import Database
from tests.support.clock import DatabaseClock

SUBJECT = "198.51.100.7"
AT_ONCE = 60


def a_limit(
    burst: int = 5, seconds_each: float = 10, name: LimitName = LimitName.REFUSED_BY_ADDRESS
) -> RateLimit:
    return RateLimit(name=name, burst=burst, seconds_each=seconds_each, counts="requests")


async def take(database: Database, limit: RateLimit, subject: str = SUBJECT) -> float:
    async with database.autocommit() as tx:
        return await rate_limits.take(tx, limit, subject)


async def taken(database: Database, limit: RateLimit, tries: int) -> int:
    return [await take(database, limit) for _ in range(tries)].count(0)


async def test_the_burst_is_there_at_once_and_no_more(database: Database) -> None:
    assert await taken(database, a_limit(), 8) == 5


async def test_one_more_comes_after_each_interval_and_the_wait_says_when(
    database: Database, clock: DatabaseClock
) -> None:
    limit = a_limit()
    assert await taken(database, limit, 5) == 5

    wait_seconds = await take(database, limit)
    assert 9 < wait_seconds <= 10
    clock.advance(wait_seconds)
    assert await taken(database, limit, 2) == 1
    clock.advance(20)
    assert await taken(database, limit, 3) == 2


async def test_what_was_not_used_is_not_saved_up_beyond_the_burst(
    database: Database, clock: DatabaseClock
) -> None:
    limit = a_limit()
    assert await taken(database, limit, 1) == 1
    clock.advance(1_000_000)

    assert await taken(database, limit, 8) == 5


async def test_rules_and_subjects_have_allowances_of_their_own(database: Database) -> None:
    limit = a_limit(burst=1)
    assert await taken(database, limit, 2) == 1

    assert await take(database, limit, "198.51.100.8") == 0
    assert await take(database, a_limit(burst=1, name=LimitName.REFUSED_BY_CLIENT)) == 0


async def test_of_many_at_once_exactly_the_burst_gets_through(database: Database) -> None:
    limit = a_limit(burst=20, seconds_each=600)

    waits = await asyncio.gather(*(take(database, limit) for _ in range(AT_ONCE)))

    assert waits.count(0) == 20


async def test_what_a_transaction_took_comes_back_with_its_rollback(database: Database) -> None:
    limit = a_limit(burst=1)
    with contextlib.suppress(LookupError):
        async with database.transaction() as tx:
            assert await rate_limits.take(tx, limit, SUBJECT) == 0
            raise LookupError

    assert await take(database, limit) == 0


async def test_a_refused_one_writes_nothing_and_no_address_is_stored(
    database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    def stored() -> list[tuple[Any, ...]]:
        return database_admin.execute("SELECT xmin::text, key FROM app.rate_limits").fetchall()

    limit = a_limit(burst=1)
    await take(database, limit)
    before = stored()
    await take(database, limit)

    assert stored() == before
    ((_, key),) = before
    assert len(key) == 32
    assert SUBJECT.encode() not in key


class Bucket:
    """What the rule means, the long way round: tokens that come by and by."""

    def __init__(self, burst: int, seconds_each: Fraction) -> None:
        self.burst, self.seconds_each = burst, seconds_each
        self.tokens = Fraction(burst)

    def pass_time(self, seconds: Fraction) -> None:
        self.tokens = min(Fraction(self.burst), self.tokens + seconds / self.seconds_each)

    def take(self) -> Fraction:
        """Seconds to wait; 0 when one was taken."""
        if self.tokens >= 1:
            self.tokens -= 1
            return Fraction(0)
        return (1 - self.tokens) * self.seconds_each


steps = st.lists(
    st.one_of(st.just("take"), st.integers(1, 8_000)),
    min_size=5,
    max_size=40,
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    burst=st.integers(1, 6),
    each_milliseconds=st.sampled_from([50, 200, 1_000, 6_000]),
    steps=steps,
    key=st.binary(min_size=32, max_size=32),
)
def test_the_database_decides_as_the_plain_model_does(
    database_admin: psycopg.Connection[Any],
    burst: int,
    each_milliseconds: int,
    steps: list[str | int],
    key: bytes,
) -> None:
    model = Bucket(burst, Fraction(each_milliseconds, 1_000))
    # One transaction: its clock stands still but for what the steps move.
    with database_admin.transaction(force_rollback=True):
        clock = DatabaseClock(database_admin)
        for step in steps:
            if isinstance(step, int):
                clock.advance(step / 1_000)
                model.pass_time(Fraction(step, 1_000))
                continue
            row = database_admin.execute(
                "SELECT app.take_from_limit(%s, %s, %s)", (key, burst, each_milliseconds / 1_000)
            ).fetchone()
            assert row is not None
            expected = float(model.take())
            # The function never answers with less than a millisecond to one who has to wait.
            assert abs(row[0] - expected) < 0.0011
            assert (row[0] == 0) == (expected == 0)
