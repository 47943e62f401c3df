"""Environments and their callers in simulated time; their circuits meet in a real Postgres.

An hour of it takes as long as its statements: nobody sleeps.
"""

import heapq
import itertools
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID, uuid4

from shared.circuit.breaker import Breaker
from shared.circuit.machine import Ticket
from shared.circuit.refusals import CircuitOpenError
from shared.circuit.rules import REFUSED_PROBE_SECONDS, RULES, fleet_terms
from shared.circuit.window import FAILED_AFTER_ALL, FAILURE, SUCCESS, WAITS_TOO_LONG
from shared.domain.circuits import Dependency, FleetView, ProbeOutcome, ProbeReport, ProbeTurn
from shared.state.circuits import StoredCircuits
from tests.support.clock import DatabaseClock

T = TypeVar("T")

RPC = Dependency.DRUPAL_RPC
TIMEOUT_SECONDS = 8.0
ANSWER_SECONDS = 0.1
VIEW_SECONDS = 0.25
"""Every call brings the fleet's word; calls this near each other bring the same."""

Event = Callable[[], Awaitable[None]]


@dataclass
class Environment:
    """One of them, with its circuit."""

    breaker: Breaker
    reporting: bool = False
    claims: dict[int, UUID] = field(default_factory=dict)


class SimulatedFleet:
    """Runs events in the order of their times; ``site`` says what happens to a call."""

    def __init__(self, stored: StoredCircuits, clock: DatabaseClock, *, size: int) -> None:
        terms = fleet_terms(RULES[RPC])
        assert terms is not None
        self.terms = terms
        self.now = 0.0
        self.hangs = False
        self.failing_share = 0.0
        self.reached = 0
        self.probes_out = 0
        self.probes_out_max = 0
        self.environments: list[Environment] = []
        self._stored = stored
        self._clock = clock
        self._clock_at = 0.0
        self._chance = random.Random(3)  # noqa: S311 - the same course in every run
        self._events: list[tuple[float, int, Event]] = []
        self._numbers = itertools.count()
        self._think_seconds = 0.0
        self._view: tuple[float, FleetView | None] = (-1.0, None)
        for _ in range(size):
            self.environments.append(
                Environment(
                    Breaker(RPC, RULES[RPC], clock=lambda: self.now, chance=self._chance.random)
                )
            )

    def callers(self, *, each: int, think_seconds: float) -> None:
        """Let so many people call from every environment."""
        self._think_seconds = think_seconds
        for environment in self.environments:
            for _ in range(each):
                self._at(self._chance.uniform(0, think_seconds), self._caller(environment))

    async def run(self, seconds: float) -> None:
        """Let ``seconds`` pass."""
        until = self.now + seconds
        while self._events and self._events[0][0] <= until:
            self.now, _, event = heapq.heappop(self._events)
            await event()
        self.now = until

    def refusing(self) -> int:
        """Environments in which every call would be refused."""
        return sum(one.breaker.standing().refuses for one in self.environments)

    def in_full_service(self) -> bool:
        """Whether every call goes out in every environment."""
        return all(one.breaker.standing().share == 1 for one in self.environments)

    def _at(self, seconds: float, event: Event) -> None:
        heapq.heappush(self._events, (self.now + seconds, next(self._numbers), event))

    def _caller(self, environment: Environment) -> Event:
        async def call() -> None:
            ended_in = await self._call(environment)
            think = self._think_seconds * self._chance.uniform(0.5, 1.5)
            self._at(ended_in + think, call)

        return call

    async def _call(self, environment: Environment) -> float:
        """Begin a call; the seconds after which its caller has an answer."""
        environment.breaker.follow((await self._heard()).circuits.get(RPC))
        try:
            ticket = environment.breaker.admit()
            if ticket.is_probe:
                await self._claim(environment, ticket)
        except CircuitOpenError:
            return 0.0
        self.reached += 1
        if not self.hangs:
            failed = self._chance.random() < self.failing_share
            self._at(ANSWER_SECONDS, self._ends(environment, ticket, failed=failed))
            return ANSWER_SECONDS
        self._at(RULES[RPC].slow_call_seconds, self._waits(environment, ticket))
        self._at(TIMEOUT_SECONDS, self._times_out(environment, ticket))
        return TIMEOUT_SECONDS

    async def _claim(self, environment: Environment, ticket: Ticket) -> None:
        owner = uuid4()
        turn = await self._told(self._stored.claim_probe(RPC, owner, self.terms))
        if turn is not ProbeTurn.GRANTED:
            environment.breaker.give_up_probe(ticket, wait_seconds=REFUSED_PROBE_SECONDS)
            raise environment.breaker.refusal(1)
        environment.claims[ticket.epoch] = owner
        self.probes_out += 1
        self.probes_out_max = max(self.probes_out_max, self.probes_out)

    def _ends(self, environment: Environment, ticket: Ticket, *, failed: bool) -> Event:
        async def end() -> None:
            environment.breaker.observe(ticket, FAILURE if failed else SUCCESS)
            if ticket.is_probe:
                self.probes_out -= 1
            await self._told_of(environment, ticket, failed=failed)

        return end

    def _waits(self, environment: Environment, ticket: Ticket) -> Event:
        async def wait() -> None:
            environment.breaker.observe(ticket, WAITS_TOO_LONG)
            await self._told_of(environment, ticket, failed=True)

        return wait

    def _times_out(self, environment: Environment, ticket: Ticket) -> Event:
        async def time_out() -> None:
            environment.breaker.observe(ticket, FAILED_AFTER_ALL)
            if ticket.is_probe:
                self.probes_out -= 1

        return time_out

    async def _told_of(self, environment: Environment, ticket: Ticket, *, failed: bool) -> None:
        owner = environment.claims.pop(ticket.epoch, None)
        if owner is not None:
            outcome = ProbeOutcome.FAILED if failed else ProbeOutcome.SUCCEEDED
            await self._told(
                self._stored.end_probe(RPC, owner, ProbeReport(outcome=outcome), self.terms)
            )
        due_in = environment.breaker.tally.due_in(self.now)
        if due_in is not None and not environment.reporting:
            environment.reporting = True
            self._at(due_in, self._reports(environment))

    def _reports(self, environment: Environment) -> Event:
        async def report() -> None:
            environment.reporting = False
            seen = environment.breaker.tally.take(self.now)
            await self._told(self._stored.report(RPC, seen, self.terms))

        return report

    async def _heard(self) -> FleetView:
        asked_at, view = self._view
        if view is None or self.now - asked_at >= VIEW_SECONDS:
            view = await self._told(self._stored.view())
            self._view = self.now, view
        return view

    async def _told(self, statement: Awaitable[T]) -> T:
        """Run a statement at the simulated time."""
        self._clock.advance(self.now - self._clock_at)
        self._clock_at = self.now
        return await statement
