"""Real processes that are stopped or killed in the middle of a refresh."""

from pathlib import Path

import pytest

from scripts.benchmarks.refresh.steps import WINDOW, Step
from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_LEASE_SECONDS,
    SITE_REPLAY_SECONDS,
)
from shared.workflows.refresh_grant import RefreshOutcome
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.support.clock import DatabaseClock
from tests.support.refreshing_process import refreshing_process
from tests.support.upstream_world import SignedIn, UpstreamWorld

LEASE_OVER = REFRESH_LEASE_SECONDS + 1
DOUBT_OVER = DOUBT_SECONDS_MAX + 1


@pytest.mark.parametrize(
    ("seconds", "meanwhile"),
    [(LEASE_OVER, RefreshOutcome.INDETERMINATE), (DOUBT_OVER, RefreshOutcome.REJECTED)],
    ids=["past the lease", "past the doubt"],
)
async def test_a_process_stopped_with_the_reply_in_its_socket_keeps_the_pair(
    world: UpstreamWorld,
    clock: DatabaseClock,
    tmp_path: Path,
    seconds: float,
    meanwhile: RefreshOutcome,
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    async with refreshing_process(world, signed_in, tmp_path / "log") as late:
        await gate.reached()
        late.stop()
        gate.release()
        clock.advance(seconds)
        assert await world.own.refresher.refresh(signed_in.grant_id, 1) is meanwhile
        late.go_on()

        assert await late.says() is RefreshOutcome.REFRESHED

    assert (await world.row(signed_in))["status"] == "active"
    assert (await world.grant(signed_in)).pair_generation == 2
    assert world.drupal.control.live_tokens("maya") == (1, 1)
    assert await search(world, signed_in) > 0
    assert world.drupal.control.count(REFRESHES) == 2, "the second one was refused"


@pytest.mark.parametrize("buffer", [True, False], ids=["buffer", "no buffer"])
async def test_a_kill_at_any_named_step_costs_access_only_around_the_answer_without_a_buffer(
    world: UpstreamWorld,
    clock: DatabaseClock,
    tmp_path: Path,
    buffer: bool,  # noqa: FBT001 - a column of the table
) -> None:
    if buffer:
        world.drupal.control.set(refresh_replay_seconds=SITE_REPLAY_SECONDS)
    lost: set[Step] = set()
    for step in Step:
        signed_in = await world.sign_in()
        async with refreshing_process(world, signed_in, tmp_path / "log", dies_at=step) as killed:
            assert await killed.says() is step
        clock.advance(LEASE_OVER)
        if not await _has_access(world, clock, signed_in):
            lost.add(step)

    assert lost == (set() if buffer else WINDOW)


async def _has_access(world: UpstreamWorld, clock: DatabaseClock, signed_in: SignedIn) -> bool:
    """Whether the next ones to refresh keep the person signed in, as long as it may take."""
    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)
    if outcome is RefreshOutcome.INDETERMINATE:
        clock.advance(DOUBT_OVER)
        outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)
    if outcome is RefreshOutcome.REJECTED:
        assert (await world.row(signed_in))["ended_cause"] == "reply_lost"
        return False
    return await search(world, signed_in) > 0
