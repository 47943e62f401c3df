"""Many want the same pair at the same moment: the site is asked once, and everybody is served."""

import asyncio

from functions.token_refresh.refresh_tick import RefreshTick
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld, Worker

LIFE_SECONDS = 3_600
CALLS = 12
CALLING_WORKERS = 4
SCHEDULES = 2


def tick_of(worker: Worker) -> RefreshTick:
    return RefreshTick(
        worker.database,
        worker.refresher,
        batch_max=100,
        concurrency_max=1,
        seconds_left=lambda: 60.0,
    )


async def test_two_schedules_and_twelve_calls_at_once_ask_the_site_once(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    world.drupal.control.set(access_token_seconds=LIFE_SECONDS)
    signed_in = await world.sign_in()
    clock.advance(LIFE_SECONDS + 1)
    world.drupal.control.advance(LIFE_SECONDS + 1)
    callers = [world.worker() for _ in range(CALLING_WORKERS)]
    gate = world.drupal.control.hold(route="token")

    ticks = [asyncio.create_task(tick_of(world.worker()).run()) for _ in range(SCHEDULES)]
    calls = [
        asyncio.create_task(search(world, signed_in, callers[number % CALLING_WORKERS]))
        for number in range(CALLS)
    ]
    await gate.reached()
    gate.release()

    totals = await asyncio.gather(*calls)
    await asyncio.gather(*ticks)
    assert all(total > 0 for total in totals)
    assert len(totals) == CALLS
    assert world.drupal.control.count(REFRESHES) == 1
    assert (await world.grant(signed_in)).pair_generation == 2
