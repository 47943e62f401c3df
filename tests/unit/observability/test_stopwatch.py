"""Our own share of a time is what is left of it without the waits for others."""

import asyncio

import pytest

from shared.observability import stopwatch
from shared.observability.stopwatch import Stopwatch


class Clock:
    """Moves only when told to."""

    seconds = 0.0

    def perf_counter(self) -> float:
        return self.seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr(stopwatch, "time", made)
    return made


def shares(watch: Stopwatch) -> tuple[int, int]:
    return round(watch.total_milliseconds), round(watch.own_milliseconds)


def test_a_wait_for_others_is_in_the_total_and_not_in_our_own(clock: Clock) -> None:
    with stopwatch.timed() as watch:
        clock.seconds += 1
        with stopwatch.elsewhere():
            clock.seconds += 2
        clock.seconds += 3

        assert shares(watch) == (6000, 4000)


async def test_waits_that_overlap_count_once(clock: Clock) -> None:
    second_waits = asyncio.Event()

    async def first() -> None:
        with stopwatch.elsewhere():
            await second_waits.wait()
            clock.seconds += 1

    async def second() -> None:
        with stopwatch.elsewhere():
            second_waits.set()
            await task
            clock.seconds += 1

    with stopwatch.timed() as watch:
        task = asyncio.create_task(first())
        await asyncio.sleep(0)
        await second()

        assert shares(watch) == (2000, 0)


async def test_work_that_runs_beside_does_not_share_waits(clock: Clock) -> None:
    async def waits() -> Stopwatch:
        with stopwatch.timed() as watch, stopwatch.elsewhere():
            clock.seconds += 1
        return watch

    async def works() -> Stopwatch:
        with stopwatch.timed() as watch:
            await asyncio.sleep(0)
        return watch

    working, waiting = await asyncio.gather(works(), waits())

    assert shares(waiting) == (1000, 0)
    assert shares(working) == (1000, 1000)


def test_work_within_work_tells_both(clock: Clock) -> None:
    with stopwatch.timed() as outer:
        clock.seconds += 1
        with stopwatch.timed() as inner, stopwatch.elsewhere():
            clock.seconds += 2

        assert (shares(outer), shares(inner)) == ((3000, 1000), (2000, 0))
        assert stopwatch.spent_milliseconds() == pytest.approx((3000, 1000))


def test_outside_of_any_work_nothing_is_told() -> None:
    with stopwatch.elsewhere():
        pass

    assert stopwatch.spent_milliseconds() == (0, 0)
