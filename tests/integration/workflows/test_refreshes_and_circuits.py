"""Refreshes while the circuit of the site's OAuth server is open: nothing is begun, nobody ends."""

from dataclasses import replace

import pytest

from functions.token_refresh.queue_batch import PAUSED, RefreshBatch
from functions.token_refresh.refresh_tick import RefreshTick
from functions.token_refresh.stagger import Stagger
from shared.circuit.guard import CircuitGuard
from shared.circuit.refusals import CircuitOpenError
from shared.circuit.rules import RULES
from shared.domain.circuits import Dependency
from shared.queue.messages import MessageKind, RefreshMessage
from shared.upstream.failures import UpstreamUnavailableError
from shared.workflows.call_upstream import UpstreamCaller
from shared.workflows.refresh_grant import GrantRefresher
from tests.integration.workflows.test_call_upstream import search
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld
from tests.unit.circuit.pieces import Hands

OAUTH = Dependency.DRUPAL_OAUTH


@pytest.fixture
async def circuits() -> CircuitGuard:
    """With the circuit of the OAuth server open."""
    guard = CircuitGuard(clock=Hands(), chance=lambda: 0.5)
    for _ in range(RULES[OAUTH].calls_min):
        with pytest.raises(UpstreamUnavailableError):
            async with guard.watch(OAUTH):
                raise UpstreamUnavailableError
    return guard


def refresher_of(world: UpstreamWorld, circuits: CircuitGuard) -> GrantRefresher:
    own = world.own
    return GrantRefresher(own.database, own.vault, own.oauth, circuits=circuits)


async def test_a_refused_refresh_claims_nothing_and_asks_nobody(
    world: UpstreamWorld, circuits: CircuitGuard
) -> None:
    signed_in = await world.sign_in()
    with pytest.raises(UpstreamUnavailableError) as refused:
        await refresher_of(world, circuits).refresh(signed_in.grant_id, 1)
    assert isinstance(refused.value.__cause__, CircuitOpenError)
    assert not refused.value.sent
    assert not world.drupal.control.requests("token")
    assert await world.outcomes(signed_in) == []
    assert (await world.row(signed_in))["lease_owner"] is None


async def test_a_call_whose_token_still_works_is_not_held_up(
    world: UpstreamWorld, circuits: CircuitGuard, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    life_seconds = world.issue("maya").life_seconds
    clock.advance(life_seconds - 10)  # about to end: it would be refreshed, were that possible
    own = world.own
    caller = UpstreamCaller(
        own.database, own.vault, refresher_of(world, circuits), circuits=circuits
    )
    assert await search(world, signed_in, replace(own, caller=caller)) > 0
    assert not world.drupal.control.requests("token")


async def test_a_call_whose_token_has_ended_is_told_to_come_back(
    world: UpstreamWorld, circuits: CircuitGuard, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(world.issue("maya").life_seconds + 1)
    own = world.own
    caller = UpstreamCaller(
        own.database, own.vault, refresher_of(world, circuits), circuits=circuits
    )
    with pytest.raises(UpstreamUnavailableError) as refused:
        await search(world, signed_in, replace(own, caller=caller))
    assert refused.value.retry_after_seconds
    assert (await world.row(signed_in))["status"] == "active"


async def test_the_schedule_takes_nothing_while_the_circuit_is_open(
    world: UpstreamWorld, circuits: CircuitGuard, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(world.issue("maya").life_seconds)
    before = await world.row(signed_in)
    tick = RefreshTick(
        world.own.database,
        refresher_of(world, circuits),
        batch_max=10,
        concurrency_max=1,
        seconds_left=lambda: 60.0,
    )
    counts = await tick.run(share=await Stagger(circuits).share())
    assert sum(counts.values()) == 0
    assert (await world.row(signed_in))["refresh_at"] == before["refresh_at"]


async def test_a_small_share_of_a_tick_is_one_grant(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    for name in ("maya", "lena"):
        world.drupal.control.set(access_token_seconds=3_600)
        await world.sign_in(name)
    clock.advance(3_600)
    tick = RefreshTick(
        world.own.database,
        world.own.refresher,
        batch_max=10,
        concurrency_max=3,
        seconds_left=lambda: 60.0,
    )
    assert (await tick.run(share=0.000_001))["refreshed"] == 1
    assert (await tick.run(share=1.0))["refreshed"] == 1


async def test_messages_about_due_grants_are_left_to_the_schedule(
    world: UpstreamWorld, circuits: CircuitGuard
) -> None:
    signed_in = await world.sign_in()
    batch = RefreshBatch(
        world.own.database,
        refresher_of(world, circuits),
        concurrency_max=1,
        seconds_left=lambda: 60.0,
        circuits=circuits,
    )
    message = RefreshMessage.about(MessageKind.REFRESH_DUE, signed_in.grant_id, 1)
    assert await batch._outcome(message) == PAUSED
    assert not world.drupal.control.requests("token")
