"""This environment's line to the fleet: reports go out by themselves, nobody waits for them.

Where the store fails it is left alone for a while, and the environment goes on by what it has seen
itself.
"""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from datetime import datetime
from typing import Any, Final, TypeVar
from uuid import UUID

from shared.circuit.breaker import Breaker, Clock
from shared.circuit.fleet import GATHER_SECONDS, Fleet
from shared.circuit.rules import fleet_terms
from shared.domain.circuits import Dependency, FleetTerms, FleetView, ProbeReport, ProbeTurn
from shared.domain.identifiers import new_id
from shared.errors.base import ServiceError
from shared.observability.logging import log
from shared.observability.spans import SpanName
from shared.observability.tracing import span

T = TypeVar("T")

STORE_PAUSE_SECONDS: Final = 5.0
"""A store that failed is not asked again for so long."""
VIEW_SECONDS: Final = 1.0
"""A view is as good as new for so long."""


class FleetLink:
    """Tells and hears; every failure of the store ends here."""

    def __init__(
        self, fleet: Fleet | None, breakers: Mapping[Dependency, Breaker], clock: Clock
    ) -> None:
        self._fleet = fleet
        self._breakers = breakers
        self._clock = clock
        self._heard_at: datetime | None = None
        self._fresh_until = float("-inf")
        self._asked_again_at = float("-inf")
        self._timers: dict[Dependency, asyncio.TimerHandle] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._under_way: set[asyncio.Task[None]] = set()

    def hear(self, view: FleetView) -> None:
        """Follow ``view``, unless a newer one has been heard."""
        if self._heard_at is not None and view.checked_at < self._heard_at:
            return
        self._heard_at = view.checked_at
        self._fresh_until = self._clock() + VIEW_SECONDS
        for dependency, breaker in self._breakers.items():
            breaker.follow(view.circuits.get(dependency))

    async def refresh(self) -> None:
        """Hear the fleet, unless that was done just now."""
        if self._clock() >= self._fresh_until:
            view = await self._asked(lambda fleet: fleet.view())
            if view is not None:
                self.hear(view)

    async def claim_probe(self, breaker: Breaker) -> tuple[ProbeTurn, UUID | None]:
        """Whether this environment may probe, and the claim that it holds; alone it just may."""
        terms, owner = self._terms(breaker), new_id()
        if terms is None:
            return ProbeTurn.GRANTED, None
        turn = await self._asked(lambda fleet: fleet.claim_probe(breaker.dependency, owner, terms))
        return (ProbeTurn.GRANTED, None) if turn is None else (turn, owner)

    def end_probe(self, breaker: Breaker, owner: UUID, found: ProbeReport) -> None:
        """Tell what the claimed probe has found."""
        terms = self._terms(breaker)
        if terms is not None:
            self._send(lambda fleet: fleet.end_probe(breaker.dependency, owner, found, terms))

    def report_soon(self, breaker: Breaker) -> None:
        """Have what was counted go out when it is due."""
        due_in = breaker.tally.due_in(self._clock())
        if due_in is None or self._terms(breaker) is None:
            return
        self._adopt_loop()
        if breaker.dependency not in self._timers:
            self._timers[breaker.dependency] = asyncio.get_running_loop().call_later(
                due_in, self._report, breaker
            )

    async def settle(self, *, timeout_seconds: float) -> None:
        """Send what need not wait for more, and wait for what is under way.

        No task shall outlive its request, and a timer would fire in the next one only.
        """
        self._adopt_loop()
        for dependency in tuple(self._timers):
            breaker = self._breakers[dependency]
            if (breaker.tally.due_in(self._clock()) or 0.0) <= GATHER_SECONDS:
                self._timers.pop(dependency).cancel()
                self._report(breaker)
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=timeout_seconds)

    async def close(self, *, timeout_seconds: float) -> None:
        """Tell and ask nothing any more, and wait for what is under way."""
        self._adopt_loop()
        self._fleet = None
        for timer in self._timers.values():
            timer.cancel()
        self._timers.clear()
        if self._under_way:
            await asyncio.wait(self._under_way, timeout=timeout_seconds)

    def _report(self, breaker: Breaker) -> None:
        self._timers.pop(breaker.dependency, None)
        terms = self._terms(breaker)
        now = self._clock()
        if terms is None or breaker.tally.due_in(now) is None:
            return
        report = breaker.tally.take(now)
        self._send(lambda fleet: fleet.report(breaker.dependency, report, terms))

    def _send(self, statement: Callable[[Fleet], Coroutine[Any, Any, FleetView]]) -> None:
        async def send() -> None:
            view = await self._asked(statement)
            if view is not None:
                self.hear(view)

        self._adopt_loop()
        task = asyncio.get_running_loop().create_task(send())
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _asked(self, statement: Callable[[Fleet], Coroutine[Any, Any, T]]) -> T | None:
        """What the store answers; None where it does not, or is left alone for now."""
        if self._fleet is None or self._clock() < self._asked_again_at:
            return None
        try:
            with span(SpanName.CIRCUIT_REPORT):
                return await statement(self._fleet)
        except ServiceError as error:
            self._asked_again_at = self._clock() + STORE_PAUSE_SECONDS
            log.warning("circuits not shared", error=error)
            return None

    def _terms(self, breaker: Breaker) -> FleetTerms | None:
        return None if self._fleet is None else fleet_terms(breaker.rules)

    def _adopt_loop(self) -> None:
        """Forget the timers and tasks of a loop that has ended."""
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            self._loop, self._timers, self._under_way = loop, {}, set()
