"""Whatever happens in whatever order: the rules that no sequence of events may break."""

import math

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from shared.circuit import machine
from shared.circuit.following import follow
from shared.circuit.machine import Ticket, Verdict, new_circuit
from shared.circuit.rules import (
    ASKED_OPEN_SECONDS_MAX,
    OPEN_SECONDS_MAX,
    PROBE_SECONDS_MAX,
    RAMP_SECONDS,
)
from shared.circuit.window import FAILED_AFTER_ALL, FAILURE, SUCCESS, WAITS_TOO_LONG, Counts
from shared.domain.circuits import FORCED_STATES, CircuitState, FleetCircuit
from tests.unit.circuit.pieces import RULES

DRAWS = st.floats(0, 1, exclude_max=True)
SEEN = st.sampled_from([SUCCESS, FAILURE, WAITS_TOO_LONG, FAILED_AFTER_ALL])


class CircuitRulesHold(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.circuit = new_circuit(RULES)
        self.now = 0.0
        self.under_way: list[Ticket] = []
        self.version = 0
        self.rest_until = 0.0

    @rule(seconds=st.floats(0, 3_600))
    def the_dependency_asks_for_a_rest(self, seconds: float) -> None:
        before = self.circuit
        self.circuit = machine.asked_to_wait(before, seconds, self.now)
        assert self.circuit.state is before.state
        self._rests(seconds)

    def _rests(self, seconds: float) -> None:
        self.rest_until = max(self.rest_until, self.now + min(seconds, ASKED_OPEN_SECONDS_MAX))

    @rule(seconds=st.floats(0, 30))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds

    @rule(draw=DRAWS)
    def a_call_asks(self, draw: float) -> None:
        before = self.circuit
        self.circuit, ticket = machine.admit(before, self.now, draw=draw)
        if ticket.verdict is Verdict.REFUSED:
            assert ticket.retry_after_seconds > 0
            assert before.state is not CircuitState.DISABLED
            return
        assert before.state is not CircuitState.FORCED_OPEN
        if before.state in {CircuitState.OPEN, CircuitState.HALF_OPEN}:
            assert ticket.is_probe
        self.under_way.append(ticket)

    @precondition(lambda self: self.under_way)
    @rule(data=st.data(), seen=SEEN, draw=DRAWS)
    def something_is_seen_of_a_call(self, data: st.DataObject, seen: Counts, draw: float) -> None:
        ticket = data.draw(st.sampled_from(self.under_way))
        before = self.circuit
        self.circuit = machine.observe(before, ticket, seen, self.now, draw=draw)
        if ticket.epoch != before.epoch:
            assert self.circuit == before
        if before.state is CircuitState.OPEN:
            assert self.circuit.state is CircuitState.OPEN

    @precondition(lambda self: self.under_way)
    @rule(data=st.data())
    def a_call_says_nothing(self, data: st.DataObject) -> None:
        ticket = data.draw(st.sampled_from(self.under_way))
        self.under_way.remove(ticket)
        self.circuit = machine.give_up_probe(self.circuit, ticket, self.now, wait_seconds=1.0)

    @rule(
        state=st.sampled_from([s for s in CircuitState if s is not CircuitState.HALF_OPEN]),
        age=st.integers(-2, 2),
        seconds=st.floats(0, 120),
    )
    def the_fleet_speaks(self, state: CircuitState, age: int, seconds: float) -> None:
        self.version = max(0, self.version + age)
        fleet = FleetCircuit(
            state=state,
            version=self.version,
            openings=1,
            open_for_seconds=seconds,
            recovering_for_seconds=seconds,
        )
        self.circuit = follow(self.circuit, fleet, self.now)
        self._rests(seconds)
        if state in FORCED_STATES:
            assert self.circuit.state is state

    @rule()
    def the_fleet_is_silent(self) -> None:
        self.circuit = follow(self.circuit, None, self.now)
        assert self.circuit.state not in FORCED_STATES

    @invariant()
    def a_circuit_is_never_open_for_longer_than_its_cap_and_a_rest_that_was_asked_for(self) -> None:
        if self.circuit.state is CircuitState.OPEN:
            at_most = max(self.now + OPEN_SECONDS_MAX, self.rest_until)
            assert self.circuit.open_until <= at_most + 1e-6
            assert self.circuit.open_until <= self.now + ASKED_OPEN_SECONDS_MAX + 1e-6

    @invariant()
    def the_time_since_it_opened_is_known_until_all_calls_go_out_again(self) -> None:
        if self.circuit.state in {CircuitState.OPEN, CircuitState.FORCED_OPEN}:
            assert self.circuit.open_since is not None
        if self.circuit.state is CircuitState.DISABLED:
            assert self.circuit.open_since is None
        if self.circuit.open_since is not None:
            assert self.circuit.open_since <= self.now

    @invariant()
    def left_alone_it_always_lets_a_call_out_in_time(self) -> None:
        if self.circuit.state is CircuitState.FORCED_OPEN:
            return
        later = self.now + max(ASKED_OPEN_SECONDS_MAX, PROBE_SECONDS_MAX, RAMP_SECONDS) + 1e-6
        _, ticket = machine.admit(self.circuit, later, draw=0.999)
        assert ticket.verdict is not Verdict.REFUSED

    @invariant()
    def at_most_one_probe_counts(self) -> None:
        live = {
            ticket
            for ticket in self.under_way
            if ticket.is_probe and ticket.epoch == self.circuit.epoch
        }
        assert len(live) <= 1

    @invariant()
    def it_stays_small(self) -> None:
        assert len(self.circuit.window.buckets) <= RULES.failure_window_seconds
        assert math.isfinite(self.circuit.epoch)


CircuitRulesHold.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestCircuitRulesHold = CircuitRulesHold.TestCase
