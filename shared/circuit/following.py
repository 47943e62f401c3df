"""How a circuit follows the fleet: pure, as the machine is.

An operator's word holds always. Otherwise a newer version counts for more than what was seen here,
and a probe of our own is waited for: it is the fleet's.
"""

from dataclasses import replace

from shared.circuit.machine import Circuit, recovering
from shared.circuit.rules import ASKED_OPEN_SECONDS_MAX, RAMP_SECONDS
from shared.domain.circuits import FORCED_STATES, CircuitState, FleetCircuit


def follow(circuit: Circuit, fleet: FleetCircuit | None, now: float) -> Circuit:
    """The circuit after the fleet's word on it; None says that nothing is wrong with it."""
    if fleet is None:
        return _after_silence(circuit, now)
    if fleet.state in FORCED_STATES:
        return _forced(circuit, fleet, now)
    if circuit.state is CircuitState.HALF_OPEN or _is_old(fleet, circuit):
        return circuit
    if fleet.state is CircuitState.OPEN:
        return _opened(circuit, fleet, now)
    return _closed(circuit, fleet, now)


def _is_old(fleet: FleetCircuit, circuit: Circuit) -> bool:
    return fleet.version < max(circuit.fleet_version, circuit.awaited_version)


def _after_silence(circuit: Circuit, now: float) -> Circuit:
    """Closed for long, as far as the fleet knows; what was opened here alone stays open."""
    if circuit.state is CircuitState.FORCED_OPEN:
        return recovering(circuit, since=now)
    opened_by_fleet = circuit.state is CircuitState.OPEN and circuit.follows_fleet
    if opened_by_fleet or circuit.state is CircuitState.DISABLED:
        return recovering(circuit, since=now - RAMP_SECONDS)
    return circuit


def _forced(circuit: Circuit, fleet: FleetCircuit, now: float) -> Circuit:
    if circuit.state is fleet.state:
        return replace(circuit, fleet_version=fleet.version)
    return replace(
        circuit,
        state=fleet.state,
        epoch=circuit.epoch + 1,
        recovering_since=None,
        open_since=_forced_since(circuit, fleet, now),
        openings=0,
        fleet_version=fleet.version,
        follows_fleet=True,
    )


def _forced_since(circuit: Circuit, fleet: FleetCircuit, now: float) -> float | None:
    if fleet.state is CircuitState.DISABLED:
        return None
    return now if circuit.open_since is None else circuit.open_since


def _opened(circuit: Circuit, fleet: FleetCircuit, now: float) -> Circuit:
    moved = circuit.state is not CircuitState.OPEN
    return replace(
        circuit,
        state=CircuitState.OPEN,
        epoch=circuit.epoch + moved,
        open_until=max(
            now + min(fleet.open_for_seconds, ASKED_OPEN_SECONDS_MAX), circuit.asked_until
        ),
        open_since=now if circuit.open_since is None else circuit.open_since,
        openings=fleet.openings,
        recovering_since=None,
        fleet_version=fleet.version,
        follows_fleet=True,
    )


def _closed(circuit: Circuit, fleet: FleetCircuit, now: float) -> Circuit:
    is_news = fleet.version > circuit.fleet_version
    if not is_news and circuit.state not in FORCED_STATES:
        return circuit
    age_seconds = fleet.recovering_for_seconds
    since = now - (RAMP_SECONDS if age_seconds is None else age_seconds)
    if circuit.state is CircuitState.CLOSED:
        # A new environment, or one that has seen nothing: it must not rush in while others ramp.
        ramp_since = since if now - since < RAMP_SECONDS else None
        return replace(
            circuit,
            recovering_since=ramp_since,
            open_since=None if ramp_since is None else circuit.open_since,
            fleet_version=fleet.version,
        )
    back = recovering(circuit, since=since)
    return replace(back, openings=fleet.openings, fleet_version=fleet.version)
