"""Several environments, one Postgres: what one sees all know, and one of them probes."""

import asyncio
from contextlib import suppress

import pytest

from shared.circuit.fleet_link import STORE_PAUSE_SECONDS, VIEW_SECONDS
from shared.circuit.guard import CircuitGuard
from shared.circuit.refusals import CircuitOpenError
from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import ServiceError
from shared.state import forced_circuits
from shared.state.circuits import StoredCircuits
from shared.state.database import Database
from shared.upstream.failures import UpstreamUnavailableError
from tests.integration.circuit.conftest import NewEnvironment
from tests.integration.state.pieces import value
from tests.support.clock import DatabaseClock
from tests.unit.circuit.pieces import Hands

RPC = Dependency.DRUPAL_RPC


async def call(guard: CircuitGuard, error: ServiceError | None = None) -> None:
    with suppress(UpstreamUnavailableError):
        async with guard.watch(RPC):
            if error is not None:
                raise error


async def reported(guard: CircuitGuard) -> None:
    """Until what was counted has reached the database."""
    link = guard._link
    while link._timers:  # noqa: ASYNC110 - nothing tells of it but the link itself
        await asyncio.sleep(0.01)
    await asyncio.gather(*link._under_way)


def later(seconds: float, hands: Hands, clock: DatabaseClock) -> None:
    hands.seconds += seconds
    clock.advance(seconds)


async def opened(hands: Hands, *guards: CircuitGuard) -> None:
    """Ten failures, no more than four in each environment, so that none opens alone."""
    assert len(guards) >= 3
    for guard in guards:
        for _ in range(4):
            await call(guard, UpstreamUnavailableError())
        await reported(guard)
    hands.seconds += VIEW_SECONDS
    for guard in guards:
        await guard.hear_fleet()


async def test_failures_that_no_environment_minds_alone_open_all_of_them(
    new_environment: NewEnvironment, hands: Hands
) -> None:
    guards = [new_environment() for _ in range(4)]
    stranger = guards.pop()
    await opened(hands, *guards)
    await stranger.hear_fleet()
    for guard in (*guards, stranger):
        assert guard.standing(RPC).state is CircuitState.OPEN
        with pytest.raises(CircuitOpenError):
            await call(guard)


async def test_one_environment_probes_for_all_and_all_come_back(
    new_environment: NewEnvironment, hands: Hands, clock: DatabaseClock
) -> None:
    guards = [new_environment() for _ in range(4)]
    await opened(hands, *guards)
    later(7, hands, clock)
    arrived, end = asyncio.Event(), asyncio.Event()
    probes = 0

    async def ask(guard: CircuitGuard) -> None:
        nonlocal probes
        async with guard.watch(RPC):
            probes += 1
            arrived.set()
            await end.wait()

    asked = [asyncio.create_task(ask(guard)) for guard in guards for _ in range(5)]
    await arrived.wait()
    refused = [task for task in asked if isinstance(await _end_of(task, end), CircuitOpenError)]
    assert (probes, len(refused)) == (1, len(asked) - 1)
    await asyncio.gather(*(reported(guard) for guard in guards))
    later(1, hands, clock)
    for guard in guards:
        await guard.hear_fleet()
        assert guard.standing(RPC).state is CircuitState.CLOSED
        assert guard.standing(RPC).share < 1
    later(8, hands, clock)
    assert {guard.standing(RPC).share for guard in guards} == {1.0}


async def _end_of(task: "asyncio.Task[None]", end: asyncio.Event) -> BaseException | None:
    """How ``task`` ended; the probe, the only one that does not end by itself, is let go."""
    done, _ = await asyncio.wait({task}, timeout=2)
    if not done:
        end.set()
    await asyncio.wait({task})
    return task.exception()


async def test_a_probe_that_fails_keeps_all_away_for_longer(
    new_environment: NewEnvironment, hands: Hands, clock: DatabaseClock
) -> None:
    guards = [new_environment() for _ in range(3)]
    await opened(hands, *guards)
    later(7, hands, clock)
    await call(guards[0], UpstreamUnavailableError())
    await reported(guards[0])
    for guard in guards:
        hands.seconds += VIEW_SECONDS
        await guard.hear_fleet()
        assert guard.standing(RPC).retry_after_seconds > 4


async def test_a_failing_environment_reports_once_a_second_at_most(
    new_environment: NewEnvironment, hands: Hands, database: Database
) -> None:
    guard = new_environment()
    for _ in range(4):
        await call(guard, UpstreamUnavailableError())
    await reported(guard)
    assert await value(database, "SELECT sum(failures) FROM app.circuit_calls") == 4
    hands.seconds += 0.5
    await call(guard)
    assert guard._link._timers[RPC].when() > asyncio.get_running_loop().time() + 0.3


async def test_a_report_goes_out_before_its_request_ends(
    new_environment: NewEnvironment, hands: Hands, database: Database
) -> None:
    guard = new_environment()
    failures = "SELECT coalesce(sum(failures), 0) FROM app.circuit_calls"
    await call(guard, UpstreamUnavailableError())
    await guard.settle()
    assert await value(database, failures) == 1
    await call(guard, UpstreamUnavailableError())  # within the second: not yet
    await guard.settle()
    assert await value(database, failures) == 1
    hands.seconds += 1
    await call(guard)
    await guard.settle()
    assert await value(database, failures) == 2


async def test_while_all_is_well_nearly_nothing_is_written(
    new_environment: NewEnvironment, database: Database
) -> None:
    guard = new_environment()  # its chance is never below one in twenty
    for _ in range(200):
        await call(guard)
    await reported(guard)
    assert await value(database, "SELECT count(*) FROM app.circuit_calls") == 0


async def test_without_postgres_an_environment_judges_probes_and_recovers_alone(
    hands: Hands,
) -> None:
    away = Database("host=127.0.0.1 port=1 dbname=nowhere")
    guard = CircuitGuard(fleet=StoredCircuits(away), clock=hands, chance=lambda: 0.5)
    for _ in range(5):
        await call(guard, UpstreamUnavailableError())
    with pytest.raises(CircuitOpenError):
        await call(guard)
    await reported(guard)
    hands.seconds += 5
    await call(guard)
    assert guard.standing(RPC).state is CircuitState.CLOSED


async def test_a_store_that_failed_is_left_alone_for_a_while(
    hands: Hands, database_url: str
) -> None:
    database = Database(database_url, connections_max=1)
    guard = CircuitGuard(fleet=StoredCircuits(database), clock=hands, chance=lambda: 0.5)
    async with database.autocommit():  # nobody else gets its one connection
        await asyncio.create_task(guard.hear_fleet())
        asked_again = asyncio.create_task(guard.hear_fleet())
        await asyncio.sleep(0)
        assert asked_again.done()
    hands.seconds += STORE_PAUSE_SECONDS
    await guard.hear_fleet()
    assert guard._link._heard_at is not None
    await database.close()


async def test_what_an_operator_forces_reaches_every_environment(
    new_environment: NewEnvironment, database: Database, hands: Hands
) -> None:
    guard = new_environment()
    async with database.transaction() as tx:
        await forced_circuits.force(tx, RPC, CircuitState.FORCED_OPEN)
    await guard.hear_fleet()
    with pytest.raises(CircuitOpenError):
        await call(guard)
    async with database.transaction() as tx:
        await forced_circuits.reset(tx, RPC)
    hands.seconds += 2
    await guard.hear_fleet()
    assert guard.standing(RPC).state is CircuitState.CLOSED
