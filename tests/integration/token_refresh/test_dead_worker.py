"""A worker is lost with the only live pair; queue, second store and poller bring the pair back."""

import asyncio

import pytest

from functions.token_refresh.queue_batch import RefreshBatch
from scripts.local_stack.queue_poller import QueuePoller
from shared.domain.identifiers import GrantId
from shared.domain.refresh_times import REFRESH_LEASE_SECONDS
from shared.queue.pair_spill import DynamoDbPairSpill
from shared.queue.refresh_queue import SqsWatchdog
from shared.workflows import keep_pair
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.safety_nets import SafetyNets
from tests.integration.token_refresh.batch_invoker import BatchInvoker
from tests.support.clock import DatabaseClock
from tests.support.queues import made_queues
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import SignedIn, UpstreamWorld

WAIT_SECONDS_MAX = 30.0


class PromptWatchdog(SqsWatchdog):
    """The real one, but for the waiting: the test moves the database's clock instead."""

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """As the real one, at once."""
        assert delay_seconds > REFRESH_LEASE_SECONDS
        await super().arm(grant_id, pair_generation, delay_seconds=0)


async def test_the_repeat_of_a_lost_worker_finds_its_pair_and_asks_the_site_nothing(
    world: UpstreamWorld,
    clock: DatabaseClock,
    kms_endpoint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world.drupal.control.set(access_token_seconds=3_600)
    signed_in = await world.sign_in()
    with made_queues(kms_endpoint) as queues:
        spill = DynamoDbPairSpill(queues.spill_table)
        watchdog = PromptWatchdog(queues.watchdog_queue_url)
        nets = SafetyNets(spill=spill, watchdog=watchdog)
        await _lost_after_drupals_answer(world, signed_in, nets, monkeypatch)
        assert (await world.grant(signed_in)).pair_generation == 1
        clock.advance(REFRESH_LEASE_SECONDS + 1)

        refresher = GrantRefresher(world.own.database, world.own.vault, world.own.oauth, nets=nets)
        batch = RefreshBatch(
            world.own.database, refresher, concurrency_max=5, seconds_left=lambda: 50.0
        )
        invoker = BatchInvoker(batch, expected=1)
        poller = QueuePoller(queues.sqs, queues.watchdog_queue_url, "token_refresh")
        polling = asyncio.create_task(poller.run(invoker))
        await asyncio.wait_for(invoker.everything_came.wait(), WAIT_SECONDS_MAX)
        polling.cancel()
        await asyncio.gather(polling, return_exceptions=True)
        spill.forget_client()
        watchdog.forget_client()

    assert (await world.grant(signed_in)).pair_generation == 2
    assert world.drupal.control.count("grant:refresh_token") == 1
    assert (await world.row(signed_in))["status"] == "active"


async def _lost_after_drupals_answer(
    world: UpstreamWorld,
    signed_in: SignedIn,
    nets: SafetyNets,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The claim is committed; then Postgres is away for as long as the worker lives."""
    database = UnreliableDatabase(world.database_url)
    world.stack.push_async_callback(database.close)
    database.healthy_transactions, database.refusals = 1, 1_000
    with monkeypatch.context() as patched:
        patched.setattr(keep_pair, "SPILLED_STORE_SECONDS_MAX", 0.0)
        lost = GrantRefresher(database, world.own.vault, world.own.oauth, nets=nets)
        outcome = await lost.refresh(signed_in.grant_id, 1)
    assert outcome is RefreshOutcome.INDETERMINATE
