"""One dependency's circuit in this environment: holds the value, tells of its changes."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from shared.circuit import machine
from shared.circuit.fleet import Tally
from shared.circuit.following import follow
from shared.circuit.machine import Circuit, Ticket, Verdict
from shared.circuit.refusals import REFUSALS, CircuitOpenError
from shared.circuit.rules import CircuitRules
from shared.circuit.window import Counts
from shared.domain.circuits import CircuitState, Dependency, FleetCircuit
from shared.observability import metrics, recovery
from shared.observability.logging import log
from shared.observability.metrics import MetricName

Clock = Callable[[], float]
Chance = Callable[[], float]
"""A number from 0 up to 1; each environment's own, also after a restore from a snapshot."""

RETRY_SECONDS_MIN: Final = 1
NO_PROBE: Final = "no_probe"
KNOWN_SECONDS: Final = 60.0
"""What nobody has asked for or spoken of for so long is not known to be open any more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How a circuit stands."""

    state: CircuitState
    share: float
    """Of calls that go through, from 0 to 1; a circuit that is due for a probe has 0."""
    retry_after_seconds: float
    """0 where a call may go out, be it a probe."""
    open_seconds: float = 0.0
    """Since it has opened, as far as is known here; 0 where all calls go through."""

    @property
    def refuses(self) -> bool:
        """Whether every call would be refused."""
        return self.retry_after_seconds > 0


class Breaker:
    """Never awaits anything, so that no two calls see it half changed."""

    def __init__(
        self, dependency: Dependency, rules: CircuitRules, *, clock: Clock, chance: Chance
    ) -> None:
        self.dependency: Final = dependency
        self.rules: Final = rules
        self.tally: Final = Tally(chance)
        self._circuit = machine.new_circuit(rules)
        self._known_at = -math.inf
        self._clock = clock
        self._chance = chance

    @property
    def circuit(self) -> Circuit:
        """The value at this moment."""
        return self._circuit

    def standing(self) -> Standing:
        """How the circuit stands; changes nothing."""
        now = self._clock()
        _, ticket = machine.admit(self._circuit, now, draw=0.0)
        closed = self._circuit.state in {CircuitState.CLOSED, CircuitState.DISABLED}
        share = machine.ramp_share(self._circuit, now) if closed else 0.0
        since = self._circuit.open_since
        is_open = since is not None and share < 1 and now - self._known_at <= KNOWN_SECONDS
        return Standing(
            state=self._circuit.state,
            share=share,
            retry_after_seconds=ticket.retry_after_seconds,
            open_seconds=now - since if is_open and since is not None else 0.0,
        )

    def admit(self) -> Ticket:
        """A ticket for one call.

        Raises:
            CircuitOpenError: it may not go out.
        """
        self._known_at = self._clock()
        after, ticket = machine.admit(self._circuit, self._known_at, draw=self._chance())
        self._become(after, cause="call")
        if ticket.verdict is Verdict.REFUSED:
            raise self.refusal(ticket.retry_after_seconds)
        return ticket

    def refusal(self, seconds: float) -> CircuitOpenError:
        """The error of a call that is not made; it is counted here."""
        metrics.count(MetricName.CIRCUIT_REFUSALS, dependency=self.dependency.value)
        error = REFUSALS[self.dependency](
            self.dependency,
            self._circuit.state,
            retry_after_seconds=max(RETRY_SECONDS_MIN, math.ceil(seconds)),
        )
        recovery.met(self.dependency.value, error)
        return error

    def observe(
        self, ticket: Ticket, seen: Counts, *, asked_wait_seconds: float | None = None
    ) -> None:
        """Note what was seen of a call, and in how many seconds the dependency wants the next."""
        now = self._clock()
        if ticket.epoch == self._circuit.epoch and seen.calls and not ticket.is_probe:
            self.tally.count(
                now,
                failed=bool(seen.failures or seen.slow),
                asked_wait_seconds=asked_wait_seconds,
            )
        asked = machine.asked_to_wait(self._circuit, asked_wait_seconds, now)
        self._become(machine.observe(asked, ticket, seen, now, draw=self._chance()), cause="calls")

    def give_up_probe(self, ticket: Ticket, *, wait_seconds: float = 0.0) -> None:
        """Note that a probe says nothing, or was another environment's to make."""
        after = machine.give_up_probe(
            self._circuit, ticket, self._clock(), wait_seconds=wait_seconds
        )
        self._become(after, cause=NO_PROBE)

    def follow(self, fleet: FleetCircuit | None) -> None:
        """Hear the fleet's word."""
        if fleet is not None:
            self._known_at = self._clock()
        self._become(follow(self._circuit, fleet, self._clock()), cause="fleet")

    def _become(self, circuit: Circuit, *, cause: str) -> None:
        before, self._circuit = self._circuit, circuit
        # Half-open comes and goes with every try for the fleet's one probe; a span and a metric of
        # their own tell of probes that go out.
        going_half_open = circuit.state is CircuitState.HALF_OPEN
        if before.state is circuit.state or going_half_open or cause == NO_PROBE:
            return
        metrics.count(
            MetricName.CIRCUIT_TRANSITIONS,
            dependency=self.dependency.value,
            state=circuit.state.value,
        )
        log.warning(
            "circuit changed",
            dependency=self.dependency.value,
            # A field of the name ``state`` is redacted: it is a secret of OAuth's.
            circuit_state=circuit.state.value,
            before=before.state.value,
            cause=cause,
            openings=circuit.openings,
        )
