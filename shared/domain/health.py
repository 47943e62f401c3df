"""What a look at our dependencies found, and what it means for who asks whether we are ready."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from shared.domain.circuits import CircuitState, Dependency

LIVE_PATH: Final = "/health/live"
"""That the function answers at all; asks nobody."""
READY_PATH: Final = "/health/ready"
RETRY_AFTER_SECONDS: Final = 15
"""A report is that old at most; asking sooner tells nothing new."""


class DependencyState(StrEnum):
    """How a dependency was when it was last looked at."""

    OK = "ok"
    AWAY = "away"
    """It failed, or the fleet's circuit says that asking is useless."""
    UNKNOWN = "unknown"
    """It was not needed lately, and looking would cost more than it tells."""


class Readiness(StrEnum):
    """Whether requests make sense here."""

    READY = "ready"
    DEGRADED = "degraded"
    """Something is away without which a part still works."""
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class DependencyHealth:
    """One dependency; times in the past are as of the report."""

    state: DependencyState
    latency_milliseconds: float | None = None
    last_error: str | None = None
    """A code of the error catalogue; kept after the dependency is back."""
    last_error_seconds_ago: float | None = None
    circuit: CircuitState = CircuitState.CLOSED
    needed: bool = False
    """Whether nothing works without it."""

    def as_json(self) -> dict[str, object]:
        """For ``/health/ready``; holds no address, no text of anybody's."""
        return {
            "state": self.state.value,
            "circuit": self.circuit.value,
            "latency_ms": _rounded(self.latency_milliseconds),
            "last_error": self.last_error,
            "last_error_seconds_ago": _rounded(self.last_error_seconds_ago),
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthReport:
    """All dependencies of a function."""

    dependencies: Mapping[Dependency, DependencyHealth]
    age_seconds: float = 0.0

    @property
    def readiness(self) -> Readiness:
        """The worst that any dependency means."""
        away = [one for one in self.dependencies.values() if one.state is DependencyState.AWAY]
        if any(one.needed for one in away):
            return Readiness.UNAVAILABLE
        return Readiness.DEGRADED if away else Readiness.READY

    @property
    def http_status(self) -> int:
        """What a load balancer reads: 503 takes this function out, and nothing else does."""
        return 503 if self.readiness is Readiness.UNAVAILABLE else 200

    def as_json(self) -> dict[str, object]:
        """The body of ``/health/ready``."""
        return {
            "status": self.readiness.value,
            "checked_seconds_ago": _rounded(self.age_seconds),
            "dependencies": {
                dependency.value: health.as_json()
                for dependency, health in self.dependencies.items()
            },
        }


def _rounded(number: float | None) -> float | None:
    return None if number is None else round(number, 1)
