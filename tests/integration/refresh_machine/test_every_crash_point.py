"""One refresh, killed or stopped at each of its steps; another one meets what it left."""

from collections.abc import Awaitable, Callable

import pytest

from shared.domain.refresh_times import DOUBT_SECONDS_MAX, REFRESH_LEASE_SECONDS
from shared.workflows.keep_pair import STORE_SECONDS_MAX
from tests.integration.refresh_machine.parts import DatabaseTrouble
from tests.integration.refresh_machine.promises import check_moment, check_outcome, settle
from tests.integration.refresh_machine.town import Town, Worker

STEPS_MIN = 40
"""Fewer than a refresh has: below, the steps are not seen."""
STEPS_MAX = 100
STRIDE = 4
FIRST_COMMIT_AT_LEAST = 44
"""Before this step no pair is about to be committed."""
LEASE_OVER = REFRESH_LEASE_SECONDS + 1.0
DOUBT_OVER = DOUBT_SECONDS_MAX + 1.0

Met = Callable[[Worker], Awaitable[None]]


async def _story(town: Town, worker: Worker, steps: int, met: Met) -> bool | None:
    """Whether the person still has access; None if the refresh was over before that step."""
    await town.go_on(worker, steps)
    if worker.process.finished:
        return None
    await met(worker)
    await check_moment(town)
    await settle(town)
    await check_outcome(town)
    return bool((await town.world.row(town.people[0]))["status"] == "active")


async def _begin(town: Town, *, buffer: bool, trouble: DatabaseTrouble | None) -> Worker:
    await town.open(("maya",), buffer=buffer)
    worker = await town.begin(0)
    worker.database.trouble = trouble
    return worker


def _lost_at(
    town: Town,
    steps: range,
    *,
    buffer: bool,
    met: Met,
    trouble: DatabaseTrouble | None = None,
) -> list[int]:
    """The steps at which it costs the person's access."""
    lost: list[int] = []
    for step in steps:
        try:
            begun = _begin(town, buffer=buffer, trouble=trouble)
            worker = town.loop.run_until_complete(begun)
            survived = town.loop.run_until_complete(_story(town, worker, step, met))
        finally:
            town.loop.run_until_complete(town.close())
        if survived is None:
            assert step >= STEPS_MIN
            return lost
        if not survived:
            lost.append(step)
    raise AssertionError("a refresh has more steps than are tried")


def test_with_the_sites_buffer_a_kill_at_any_step_costs_nothing(older_town: Town) -> None:
    async def killed(worker: Worker) -> None:
        await older_town.kill(worker)
        older_town.pass_time(LEASE_OVER)

    assert _lost_at(older_town, range(0, STEPS_MAX, 3), buffer=True, met=killed) == []


@pytest.mark.timeout(300)  # the longest one, and machines may be busy
def test_without_the_buffer_only_a_kill_around_the_answer_costs_access(newer_town: Town) -> None:
    async def killed(worker: Worker) -> None:
        await newer_town.kill(worker)
        newer_town.pass_time(LEASE_OVER)

    lost = _lost_at(newer_town, range(STEPS_MAX), buffer=False, met=killed)

    assert lost == list(range(lost[0], lost[-1] + 1)), "one window without a gap"


@pytest.mark.parametrize("seconds", [LEASE_OVER, DOUBT_OVER], ids=["lease", "doubt"])
def test_whoever_comes_late_from_any_step_loses_no_pair(newer_town: Town, seconds: float) -> None:
    async def stopped_while_another_one_tries(worker: Worker) -> None:
        newer_town.pass_time(seconds, frozen=True)
        await newer_town.go_on(await newer_town.begin(0))
        await check_moment(newer_town)
        await newer_town.go_on(worker)

    lost = _lost_at(
        newer_town, range(0, STEPS_MAX, STRIDE), buffer=False, met=stopped_while_another_one_tries
    )

    assert lost == []


def test_a_pair_that_only_the_second_store_took_is_found_there(newer_town: Town) -> None:
    async def without_database(worker: Worker) -> None:
        worker.database.trouble = DatabaseTrouble.STAYS_AWAY
        await newer_town.go_on(worker)
        newer_town.pass_time(LEASE_OVER)

    lost = _lost_at(newer_town, range(1, STEPS_MAX, STRIDE), buffer=False, met=without_database)

    assert lost == []


def test_whoever_is_stopped_after_a_failed_commit_does_not_give_the_pair_up(
    newer_town: Town,
) -> None:
    async def stopped_for_longer_than_its_patience(worker: Worker) -> None:
        newer_town.pass_time(STORE_SECONDS_MAX + LEASE_OVER)
        await newer_town.go_on(worker)

    lost = _lost_at(
        newer_town,
        range(FIRST_COMMIT_AT_LEAST, STEPS_MAX, STRIDE),
        buffer=False,
        met=stopped_for_longer_than_its_patience,
        trouble=DatabaseTrouble.CUT_AT_COMMIT,
    )

    assert lost == []
