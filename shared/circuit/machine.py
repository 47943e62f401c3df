"""The breaker as a pure state machine: values in, values out, time and chance as arguments.

Knows neither the dependency nor the clock. Times are seconds on any scale that only goes forward;
a ``draw`` is a number from 0 up to 1, chosen by chance.
"""

import math
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.circuit.rules import (
    ASKED_OPEN_SECONDS_MAX,
    JITTER_SHARE,
    OPEN_SECONDS_MAX,
    PROBE_SECONDS_MAX,
    RAMP_SECONDS,
    RAMP_SHARE_MIN,
    CircuitRules,
)
from shared.circuit.window import Counts, Window
from shared.domain.circuits import FORCED_STATES, CircuitState

FORCED_RETRY_SECONDS: Final = 60.0
"""What callers are told while an operator keeps a circuit open."""
HALF_OPEN_RETRY_SECONDS: Final = 2.0
"""And while a probe is out, which may come back any moment."""
RAMP_RETRY_SECONDS: Final = 1.0
"""And during the ramp, in which the next try has better chances."""
DOUBLINGS_MAX: Final = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Circuit:
    """One breaker at one moment."""

    rules: CircuitRules
    window: Window
    state: CircuitState = CircuitState.CLOSED
    epoch: int = 0
    """Moves on at every change of state: what began in an earlier one says nothing about this."""
    open_until: float = -math.inf
    asked_until: float = -math.inf
    """The dependency itself has asked to be left alone until then (`Retry-After`)."""
    open_since: float | None = None
    """Since when it has not let all calls through again; None where it does."""
    openings: int = 0
    """In a row: without a recovery in full between them."""
    recovering_since: float | None = None
    probe_until: float = -math.inf
    """While half-open: when a probe that is silent counts as dead."""
    fleet_version: int = 0
    """Of the newest word of the fleet that this circuit has followed."""
    awaited_version: int = 0
    """Older words than this are not heard: our own probe has changed the fleet since."""
    follows_fleet: bool = False
    """Whether the fleet has opened it, or is known to have opened as well."""


class Verdict(StrEnum):
    """What may be done with a call."""

    CALL = "call"
    PROBE = "probe"
    """It may go out, and its outcome decides."""
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Ticket:
    """What a call was admitted as; its outcome counts only in the epoch it began in."""

    epoch: int
    verdict: Verdict
    retry_after_seconds: float = 0.0
    """For refused calls: when another try makes sense."""

    @property
    def is_probe(self) -> bool:
        """Whether the outcome decides."""
        return self.verdict is Verdict.PROBE


def new_circuit(rules: CircuitRules) -> Circuit:
    """A closed circuit that has seen nothing."""
    seconds = max(rules.failure_window_seconds, rules.slow_window_seconds)
    return Circuit(rules=rules, window=Window(seconds))


def admit(circuit: Circuit, now: float, *, draw: float) -> tuple[Circuit, Ticket]:
    """Whether a call may go out now, and the circuit after that."""
    if circuit.state is CircuitState.DISABLED:
        return circuit, _call(circuit)
    if circuit.state is CircuitState.FORCED_OPEN:
        return circuit, _refused(circuit, FORCED_RETRY_SECONDS)
    if circuit.state is CircuitState.CLOSED:
        return _admit_closed(circuit, now, draw)
    if circuit.state is CircuitState.HALF_OPEN and now < circuit.probe_until:
        return circuit, _refused(circuit, HALF_OPEN_RETRY_SECONDS)
    if circuit.state is CircuitState.OPEN and now < circuit.open_until:
        return circuit, _refused(circuit, circuit.open_until - now)
    probing = replace(
        circuit,
        state=CircuitState.HALF_OPEN,
        epoch=circuit.epoch + 1,
        probe_until=now + PROBE_SECONDS_MAX,
    )
    return probing, Ticket(probing.epoch, Verdict.PROBE)


def _admit_closed(circuit: Circuit, now: float, draw: float) -> tuple[Circuit, Ticket]:
    share = ramp_share(circuit, now)
    if share >= 1 and circuit.recovering_since is not None:
        circuit = replace(circuit, recovering_since=None, openings=0, open_since=None)
    if draw >= share:
        return circuit, _refused(circuit, RAMP_RETRY_SECONDS)
    return circuit, _call(circuit)


def ramp_share(circuit: Circuit, now: float) -> float:
    """The share of calls that goes through a closed circuit, from 0 to 1."""
    if circuit.recovering_since is None:
        return 1.0
    return min(1.0, max(RAMP_SHARE_MIN, (now - circuit.recovering_since) / RAMP_SECONDS))


def asked_to_wait(circuit: Circuit, seconds: float | None, now: float) -> Circuit:
    """The circuit after the dependency has said in how many ``seconds`` it wants to be called.

    It opens nothing; a circuit that is open, or opens before, stays so until then, within the cap.
    """
    if seconds is None:
        return circuit
    until = max(circuit.asked_until, now + min(seconds, ASKED_OPEN_SECONDS_MAX))
    is_open = circuit.state is CircuitState.OPEN
    open_until = max(circuit.open_until, until) if is_open else circuit.open_until
    return replace(circuit, asked_until=until, open_until=open_until)


def observe(circuit: Circuit, ticket: Ticket, seen: Counts, now: float, *, draw: float) -> Circuit:
    """The circuit after something was seen of the call that ``ticket`` was for."""
    if ticket.epoch != circuit.epoch or circuit.state in FORCED_STATES:
        return circuit
    if circuit.state is CircuitState.CLOSED:
        counted = replace(circuit, window=circuit.window.counted(seen, now))
        return _opened(counted, now, draw) if _has_had_enough(counted, now) else counted
    if not ticket.is_probe:
        return circuit
    if not (seen.calls or seen.failures):
        return circuit
    if circuit.follows_fleet:
        circuit = replace(circuit, awaited_version=circuit.fleet_version + 1)
    if seen.failures or seen.slow:
        return _opened(circuit, now, draw)
    return recovering(circuit, since=now)


def give_up_probe(circuit: Circuit, ticket: Ticket, now: float, *, wait_seconds: float) -> Circuit:
    """The circuit after a probe that says nothing: another may go out in ``wait_seconds``."""
    if not _is_probe_of(circuit, ticket):
        return circuit
    return replace(
        circuit,
        state=CircuitState.OPEN,
        epoch=circuit.epoch + 1,
        open_until=now + min(wait_seconds, OPEN_SECONDS_MAX),
    )


def _has_had_enough(circuit: Circuit, now: float) -> bool:
    rules = circuit.rules
    judged = circuit.window.totals(now, seconds=rules.failure_window_seconds)
    if judged.calls >= rules.calls_min and judged.failure_share >= rules.failure_share:
        return True
    recent = circuit.window.totals(now, seconds=rules.slow_window_seconds)
    return recent.calls >= rules.calls_min and recent.slow_share >= rules.slow_share


def _opened(circuit: Circuit, now: float, draw: float) -> Circuit:
    return replace(
        circuit,
        state=CircuitState.OPEN,
        epoch=circuit.epoch + 1,
        window=Window(circuit.window.seconds),
        open_until=max(
            now + open_seconds(circuit.rules, circuit.openings, draw=draw), circuit.asked_until
        ),
        openings=circuit.openings + 1,
        open_since=now if circuit.open_since is None else circuit.open_since,
        recovering_since=None,
        follows_fleet=circuit.follows_fleet and circuit.state is CircuitState.HALF_OPEN,
    )


def open_seconds(rules: CircuitRules, openings: int, *, draw: float) -> float:
    """How long the next opening lasts, in seconds, after ``openings`` in a row."""
    doubled = rules.open_seconds * 2.0 ** min(openings, DOUBLINGS_MAX)
    return float(min(OPEN_SECONDS_MAX, doubled * (1 + JITTER_SHARE * (2 * draw - 1))))


def recovering(circuit: Circuit, *, since: float) -> Circuit:
    """Closed again, letting in a growing share of calls from ``since`` on."""
    return replace(
        circuit,
        state=CircuitState.CLOSED,
        epoch=circuit.epoch + 1,
        window=Window(circuit.window.seconds),
        asked_until=-math.inf,
        recovering_since=since,
        follows_fleet=False,
    )


def _is_probe_of(circuit: Circuit, ticket: Ticket) -> bool:
    return (
        circuit.state is CircuitState.HALF_OPEN
        and ticket.is_probe
        and ticket.epoch == circuit.epoch
    )


def _call(circuit: Circuit) -> Ticket:
    return Ticket(circuit.epoch, Verdict.CALL)


def _refused(circuit: Circuit, seconds: float) -> Ticket:
    return Ticket(circuit.epoch, Verdict.REFUSED, retry_after_seconds=seconds)
