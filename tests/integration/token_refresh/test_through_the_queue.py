"""Many due grants, a real queue, the local event source mapping, the real batch: each once."""

import asyncio

from functions.token_refresh.queue_batch import RefreshBatch
from functions.token_refresh.refresh_tick import RefreshTick
from scripts.local_stack.queue_poller import QueuePoller
from shared.queue.refresh_queue import SqsRefreshQueue
from tests.integration.token_refresh.batch_invoker import BatchInvoker
from tests.support.clock import DatabaseClock
from tests.support.queues import Queues, made_queues
from tests.support.upstream_world import UpstreamWorld

GRANTS = 500
HOUR = 3_600
WAIT_SECONDS_MAX = 60.0


async def test_five_hundred_due_grants_are_all_refreshed_once(
    world: UpstreamWorld, clock: DatabaseClock, kms_endpoint: str
) -> None:
    world.drupal.control.set(access_token_seconds=HOUR)
    for _ in range(GRANTS):
        await world.sign_in()
    clock.advance(HOUR - 300)
    batch = RefreshBatch(
        world.own.database, world.own.refresher, concurrency_max=5, seconds_left=lambda: 50.0
    )
    invoker = BatchInvoker(batch, expected=GRANTS)
    with made_queues(kms_endpoint) as queues:
        queue = SqsRefreshQueue(queues.refresh_queue_url)
        tick = RefreshTick(
            world.own.database,
            world.own.refresher,
            batch_max=100,
            concurrency_max=5,
            seconds_left=lambda: 50.0,
            queue=queue,
            inline_max=20,
        )
        first, second = await tick.run(), await tick.run()
        queue.forget_client()
        poller = QueuePoller(queues.sqs, queues.refresh_queue_url, "token_refresh")
        polling = asyncio.create_task(poller.run(invoker))
        await asyncio.wait_for(invoker.everything_came.wait(), WAIT_SECONDS_MAX)
        await asyncio.wait_for(_until_empty(queues), WAIT_SECONDS_MAX)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        dead = queues.waiting(queues.dead_letter_queue_url)

    assert (first["queued"], second["queued"], dead) == (GRANTS, 0, 0)
    assert len(invoker.received) == len(set(invoker.received)) == GRANTS
    assert await _attempts_and_generations(world) == {(1, 2): GRANTS}


async def _until_empty(queues: Queues) -> None:
    while True:
        if queues.waiting(queues.refresh_queue_url) == 0:
            return
        await asyncio.sleep(0.05)


async def _attempts_and_generations(world: UpstreamWorld) -> dict[tuple[int, int], int]:
    """How many grants have had how many attempts and pairs."""
    async with world.own.database.autocommit() as tx:
        rows = await tx.rows(
            "SELECT attempts, pair_generation, count(*) AS grants FROM ("
            "  SELECT g.pair_generation, (SELECT count(*) FROM app.refresh_attempts a"
            "    WHERE a.grant_id = g.grant_id) AS attempts FROM app.grants g) AS counted"
            " GROUP BY attempts, pair_generation"
        )
    return {(row["attempts"], row["pair_generation"]): row["grants"] for row in rows}
