"""The guard around calls to what we depend on: measures them, judges them, refuses them.

Its public face is small: ``watch`` around a call, ``refuse_if_open`` before work that would lead to
one, ``standing`` to plan by, ``hear`` for what the fleet says, ``settle`` at a request's end.
"""

import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from typing import Final
from uuid import UUID

from shared.circuit.breaker import Breaker, Chance, Clock, Standing
from shared.circuit.clock import FreezeAwareClock
from shared.circuit.fleet import Fleet
from shared.circuit.fleet_link import FleetLink
from shared.circuit.machine import Ticket
from shared.circuit.rules import REFUSED_PROBE_SECONDS, RULES, CircuitRules
from shared.circuit.watched_call import WatchedCall
from shared.domain.circuits import Dependency, FleetView, ProbeOutcome, ProbeReport, ProbeTurn
from shared.observability import metrics, recovery
from shared.observability.circuit_states import StandingCircuit
from shared.observability.metrics import MetricName
from shared.observability.request_context import Ending
from shared.observability.spans import SpanName
from shared.observability.tracing import span

SETTLE_SECONDS_MAX: Final = 0.3
CLOSE_SECONDS_MAX: Final = 5.0

# Not `random`: environments that wake up from one snapshot would draw the same numbers.
_random: Final = secrets.SystemRandom()


class CircuitGuard:
    """All circuits of one environment; without a ``fleet`` it goes by its own eyes only."""

    def __init__(
        self,
        *,
        fleet: Fleet | None = None,
        rules: Mapping[Dependency, CircuitRules] = RULES,
        clock: Clock | None = None,
        chance: Chance = _random.random,
    ) -> None:
        ticking = clock or FreezeAwareClock()
        self._breakers = {
            dependency: Breaker(dependency, numbers, clock=ticking, chance=chance)
            for dependency, numbers in rules.items()
        }
        self._link = FleetLink(fleet, self._breakers, ticking)

    @asynccontextmanager
    async def watch(
        self,
        dependency: Dependency,
        *,
        timeout_seconds: float | None = None,
        slow_counts: bool = True,
    ) -> AsyncIterator[None]:
        """Let the block call ``dependency``; how it ends is what the circuit goes by.

        ``timeout_seconds`` is what the call was given: a timeout after less than the dependency
        may take is not its fault. ``slow_counts`` False: nor is any long wait.

        Raises:
            CircuitOpenError: the block is not entered; nothing was sent.
        """
        breaker = self._breakers[dependency]
        ticket = breaker.admit()
        call = WatchedCall(
            breaker, ticket, timeout_seconds=timeout_seconds, slow_counts=slow_counts
        )
        if not ticket.is_probe:
            async with self._judged(call):
                yield
            return
        with span(SpanName.CIRCUIT_PROBE, dependency=dependency.value):
            owner = await self._claim(breaker, ticket)
            with recovery.probing(dependency.value):
                async with self._judged(call, on_probed=partial(self._probed, call, owner)):
                    yield

    def refuse_if_open(self, dependency: Dependency) -> None:
        """Stop work that would lead to a call which would be refused anyway.

        Raises:
            CircuitOpenError: it would.
        """
        breaker = self._breakers[dependency]
        standing = breaker.standing()
        if standing.refuses:
            raise breaker.refusal(standing.retry_after_seconds)

    def standing(self, dependency: Dependency) -> Standing:
        """How a circuit stands, as far as it is known here."""
        return self._breakers[dependency].standing()

    def standings(self) -> dict[Dependency, StandingCircuit]:
        """How every circuit stands, for metrics and debug mode."""
        return {dependency: self._told(one) for dependency, one in self._breakers.items()}

    @staticmethod
    def _told(breaker: Breaker) -> StandingCircuit:
        standing = breaker.standing()
        return StandingCircuit(
            state=standing.state,
            open_seconds=standing.open_seconds,
            retry_after_seconds=standing.retry_after_seconds,
        )

    def hear(self, view: FleetView) -> None:
        """Follow what the fleet says; it came with a query that was made anyway."""
        self._link.hear(view)

    async def hear_fleet(self) -> None:
        """Ask the fleet, where no query has brought its word; once a second at most."""
        await self._link.refresh()

    async def settle(self) -> None:
        """Wait shortly for reports that are under way: no task shall outlive its request."""
        await self._link.settle(timeout_seconds=SETTLE_SECONDS_MAX)

    async def close(self) -> None:
        """Go by these eyes only from now on; before the store is closed."""
        await self._link.close(timeout_seconds=CLOSE_SECONDS_MAX)

    async def _claim(self, breaker: Breaker, ticket: Ticket) -> UUID | None:
        """Become the fleet's one probe.

        Raises:
            CircuitOpenError: another environment is at it.
        """
        try:
            turn, owner = await self._link.claim_probe(breaker)
        except BaseException:
            breaker.give_up_probe(ticket)
            raise
        if turn is ProbeTurn.GRANTED:
            return owner
        breaker.give_up_probe(ticket, wait_seconds=REFUSED_PROBE_SECONDS)
        raise breaker.refusal(REFUSED_PROBE_SECONDS)

    @asynccontextmanager
    async def _judged(
        self, call: WatchedCall, *, on_probed: Callable[[ProbeOutcome], None] | None = None
    ) -> AsyncIterator[None]:
        """Run the block as ``call``; ``on_probed`` hears what it has found, once."""

        def waits_too_long() -> None:
            self._link.report_soon(call.breaker)
            if on_probed is not None:
                on_probed(ProbeOutcome.FAILED)

        call.begin(waits_too_long)
        error: BaseException | None = None
        try:
            yield
        except BaseException as raised:
            error = raised
            raise
        finally:
            outcome = call.end(error)
            self._link.report_soon(call.breaker)
            if on_probed is not None and not call.counted_as_slow:
                on_probed(outcome)

    def _probed(self, call: WatchedCall, owner: UUID | None, outcome: ProbeOutcome) -> None:
        dependency = call.breaker.dependency.value
        metrics.count(MetricName.CIRCUIT_PROBES, dependency=dependency, outcome=outcome.value)
        if outcome is ProbeOutcome.SUCCEEDED:
            recovery.recovered(dependency, Ending.PROBE)
        if outcome is ProbeOutcome.SILENT:
            call.breaker.give_up_probe(call.ticket)
        if owner is not None:
            found = ProbeReport(outcome=outcome, asked_wait_seconds=call.asked_wait_seconds)
            self._link.end_probe(call.breaker, owner, found)
