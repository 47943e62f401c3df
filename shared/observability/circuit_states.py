"""How the circuits of this environment stand, told by whoever guards them: a gauge, and debug mode.

Never decides anything, and never asks a dependency.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from shared.domain.circuits import CircuitState, Dependency
from shared.observability import metrics
from shared.observability.metrics import MetricName


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingCircuit:
    """One circuit at one moment."""

    state: CircuitState
    open_seconds: float
    """Since it has opened; 0 where all calls go through, or nothing was heard of it lately."""
    retry_after_seconds: float
    """0 where a call may go out, be it a probe."""


Source = Callable[[], Mapping[Dependency, StandingCircuit]]


class _Environment:
    source: Source | None = None


DECIMALS: Final = 1


def told_by(source: Source | None) -> None:
    """Ask ``source`` from now on; the parts of an environment that are built anew replace it."""
    _Environment.source = source


def standing() -> Mapping[Dependency, StandingCircuit]:
    """Every circuit of this environment; none where nothing is guarded."""
    return {} if _Environment.source is None else _Environment.source()


def measure() -> None:
    """Sample the gauge of each circuit that is open."""
    for dependency, circuit in standing().items():
        if circuit.open_seconds > 0:
            metrics.gauge(
                MetricName.CIRCUIT_OPEN_TIME, circuit.open_seconds, dependency=dependency.value
            )


def as_facts() -> dict[str, dict[str, object]]:
    """The circuits as debug mode tells them, by dependency."""
    return {
        dependency.value: {
            "circuit_state": circuit.state.value,
            "open_seconds": round(circuit.open_seconds, DECIMALS),
            "retry_after_seconds": round(circuit.retry_after_seconds, DECIMALS),
        }
        for dependency, circuit in standing().items()
    }
