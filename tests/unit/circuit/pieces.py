"""A circuit with a clock and chance that a test decides."""

from dataclasses import dataclass, field

from shared.circuit import machine
from shared.circuit.following import follow
from shared.circuit.machine import Circuit, Ticket, Verdict, new_circuit
from shared.circuit.rules import CircuitRules
from shared.circuit.window import FAILURE, SUCCESS, Counts
from shared.domain.circuits import CircuitState, FleetCircuit

RULES = CircuitRules(
    calls_min=4,
    failure_share=0.5,
    failure_window_seconds=10.0,
    slow_call_seconds=4.0,
    slow_share=0.6,
    slow_window_seconds=4.0,
    open_seconds=5.0,
)
MIDDLE = 0.5
"""The draw that means no jitter."""


@dataclass
class Bench:
    """One circuit under test."""

    circuit: Circuit = field(default_factory=lambda: new_circuit(RULES))
    now: float = 100.0
    draw: float = MIDDLE

    @property
    def state(self) -> CircuitState:
        return self.circuit.state

    def later(self, seconds: float) -> None:
        self.now += seconds

    def ask(self, *, draw: float = 0.0) -> Ticket:
        self.circuit, ticket = machine.admit(self.circuit, self.now, draw=draw)
        return ticket

    def see(self, ticket: Ticket, counts: Counts) -> None:
        self.circuit = machine.observe(self.circuit, ticket, counts, self.now, draw=self.draw)

    def asked(self, seconds: float) -> None:
        self.circuit = machine.asked_to_wait(self.circuit, seconds, self.now)

    def call(self, counts: Counts) -> Verdict:
        """One call that ends at once; what it was admitted as."""
        ticket = self.ask()
        if ticket.verdict is not Verdict.REFUSED:
            self.see(ticket, counts)
        return ticket.verdict

    def hear(self, fleet: FleetCircuit | None) -> None:
        self.circuit = follow(self.circuit, fleet, self.now)


def opened() -> Bench:
    bench = Bench()
    for _ in range(RULES.calls_min):
        bench.call(FAILURE)
    assert bench.state is CircuitState.OPEN
    return bench


def recovering() -> Bench:
    bench = opened()
    bench.later(5.0)
    assert bench.call(SUCCESS) is Verdict.PROBE
    return bench


class Hands:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds
