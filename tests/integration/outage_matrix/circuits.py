"""Drives the circuit in front of a part: failures until it opens, a refused call, the way back.

All is seen as an operator sees it: in `/health/ready`, and in the log's lines about circuits.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

import httpx2

from scripts.outages import CIRCUITS, Away, Fault, Opens
from shared.assembly import OpenedReadiness
from shared.circuit.fleet import REPORT_SECONDS
from shared.circuit.guard import CircuitGuard
from shared.circuit.rules import OPEN_SECONDS_MAX, RAMP_SECONDS, RULES
from shared.domain.circuits import CircuitState, Dependency
from shared.domain.health import HealthReport
from shared.observability.request_context import begin_request
from tests.integration.outage_matrix.actions import (
    DEADLINE_SECONDS,
    READ,
    SEARCH,
    TICK_SECONDS,
    ask_tool,
    door_of,
    tick,
)
from tests.integration.outage_matrix.told import lines_of
from tests.integration.outage_matrix.world import MatrixWorld

ENVIRONMENTS: Final = 2
"""Each sees as many failures as open its own circuit; together they are enough for the fleet."""
PROBES_MAX: Final = 4
"""Tries to come back: the one probe may be unlucky on a busy machine."""
OVER_SECONDS: Final = OPEN_SECONDS_MAX + 1
_SERIAL: Final = {Away.POSTGRES, Away.KMS}
"""Of these a process makes one call at a time: the others wait for what it brings."""
_OPEN: Final = CircuitState.OPEN.value


@dataclass(frozen=True, kw_only=True)
class Caller:
    """One environment that needs the part."""

    call: Callable[[], Awaitable[bool]]
    """Once; whether it was served."""
    circuits: CircuitGuard
    readiness: OpenedReadiness | None
    """None: this function has no door."""


@dataclass(frozen=True, kw_only=True)
class Driven:
    """What was seen of the circuit."""

    opens: Opens
    others: frozenset[str]
    """Circuits of other parts that opened: there should be none."""
    reached_when_open: int
    """Calls that reached the part although its circuit was open."""
    back: bool
    """Whether calls were served, and the circuit told as closed, after the part was back."""
    log: str


async def drive(world: MatrixWorld, away: Away, fault: Fault) -> Driven:
    """Enough failures for the circuit; then the part is back."""
    dependency = CIRCUITS[away]
    async with AsyncExitStack() as stack:
        count = 1 if RULES[dependency].fleet is None else ENVIRONMENTS
        callers = [await stack.enter_async_context(_caller(world, away)) for _ in range(count)]
        world.admin.execute("DELETE FROM app.circuits; DELETE FROM app.circuit_calls")
        world.impose(away, fault)
        for caller in callers:
            await _exhaust(world, caller, away)
        log = world.told.take()
        here = await _is_open(callers[0], dependency, log)
        everywhere = await _is_open_in_a_fresh_one(world, away)
        reached = await _reached(world, callers[0], away) if here else 0
        world.heal_parts()
        back = await _comes_back(world, callers[0], away)
        log += world.told.take()
    return Driven(
        opens=_opens(here=here, everywhere=everywhere),
        others=_opened_in(log) - {dependency.value},
        reached_when_open=reached,
        back=back and not await _is_open_in_a_fresh_one(world, away),
        log=log,
    )


async def _exhaust(world: MatrixWorld, caller: Caller, away: Away) -> None:
    calls = 1 if away is Away.DRUPAL_OAUTH else RULES[CIRCUITS[away]].calls_min
    if away in _SERIAL:
        for _ in range(calls):
            await caller.call()
    else:
        await asyncio.gather(*(caller.call() for _ in range(calls)))
    # The first failure was reported at once; a second later the others are.
    world.clocks.circuit_seconds += REPORT_SECONDS
    await caller.circuits.settle()


async def _reached(world: MatrixWorld, caller: Caller, away: Away) -> int:
    """Calls that go out for another wish while the circuit is open."""
    before = world.calls_to(away)
    await caller.call()
    return world.calls_to(away) - before


async def _comes_back(world: MatrixWorld, caller: Caller, away: Away) -> bool:
    """Whether a probe finds the part, and all calls are served after that."""
    for _ in range(PROBES_MAX):
        world.clocks.advance(OVER_SECONDS)
        if await caller.call():
            break
    world.clocks.advance(RAMP_SECONDS + 1)
    served = await caller.call()
    await caller.circuits.settle()
    return served and not await _is_open(caller, CIRCUITS[away], log="")


async def _is_open(caller: Caller, dependency: Dependency, log: str) -> bool:
    """By its own health; where it has no door, by its log."""
    if caller.readiness is None:
        return dependency.value in _opened_in(log)
    caller.readiness.check.forget()
    return _told(await caller.readiness.check.report(), dependency) == _OPEN


async def _is_open_in_a_fresh_one(world: MatrixWorld, away: Away) -> bool:
    """What an environment that has made no call yet is told by the fleet."""
    dependency = CIRCUITS[away]
    if away is Away.DRUPAL_OAUTH:
        async with world.oauth() as issuer:
            return _told(await issuer.readiness.check.report(), dependency) == _OPEN
    async with world.mcp_endpoint() as resource:
        return _told(await resource.readiness.check.report(), dependency) == _OPEN


def _told(report: HealthReport, dependency: Dependency) -> str:
    return report.dependencies[dependency].circuit.value


def _opens(*, here: bool, everywhere: bool) -> Opens:
    if everywhere:
        return Opens.FLEET
    return Opens.HERE if here else Opens.NOWHERE


def _opened_in(log: str) -> frozenset[str]:
    return frozenset(
        line["dependency"]
        for line in lines_of(log)
        if line.get("message") == "circuit changed" and line["circuit_state"] == _OPEN
    )


@asynccontextmanager
async def _caller(world: MatrixWorld, away: Away) -> AsyncIterator[Caller]:
    if away is Away.DRUPAL_OAUTH:
        async with _refresher(world) as caller:
            yield caller
        return
    async with world.mcp_endpoint() as parts, door_of(parts) as door:
        yield Caller(
            call=_tool_call(world, away, door),
            circuits=parts.opened.circuits,
            readiness=parts.readiness,
        )


def _tool_call(
    world: MatrixWorld, away: Away, door: httpx2.AsyncClient
) -> Callable[[], Awaitable[bool]]:
    async def call() -> bool:
        message = SEARCH if away is Away.SEARCH else READ
        with begin_request(function="matrix", remaining_seconds=DEADLINE_SECONDS):
            seen = await ask_tool(world, message, door)
        assert seen.code is None or int(seen.retry_after or 0) > 0, seen
        return seen.code is None

    return call


@asynccontextmanager
async def _refresher(world: MatrixWorld) -> AsyncIterator[Caller]:
    async with world.token_refresh() as parts:

        async def call() -> bool:
            world.make_due(all_of_them=True)
            with begin_request(function="matrix", remaining_seconds=TICK_SECONDS):
                counts = await tick(parts)
            return bool((counts or {}).get("refreshed"))

        yield Caller(call=call, circuits=parts.opened.circuits, readiness=None)
