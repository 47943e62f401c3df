"""When each circuit opens, for how long, and how it comes back: the numbers, each with its unit.

A hanging dependency shows only after the slow limit. So slow calls are counted over a time that is
no longer than the limit: whatever was answered before the hang is out of sight by then, and the
first verdict on a hang is unanimous.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from shared.domain.circuits import Dependency, FleetTerms

OPEN_SECONDS_MAX: Final = 10.0
"""After jitter: a site that is back is found within this time."""
ASKED_OPEN_SECONDS_MAX: Final = 60.0
"""A `Retry-After` of the dependency keeps its circuit open for so long at most."""
JITTER_SHARE: Final = 0.2
"""Open times vary by this share in both directions."""
RAMP_SECONDS: Final = 8.0
"""After recovery the share of calls that go through grows to all of them in this time."""
RAMP_SHARE_MIN: Final = 0.1
PROBE_SECONDS_MAX: Final = 10.0
"""A probe that has said nothing by then has died with its environment: another may go out."""
REFUSED_PROBE_SECONDS: Final = 1.0
"""So long a circuit stays open here after another environment was given the probe."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetRules:
    """When the circuit opens for every environment at once; see ``FleetTerms``."""

    failures_min: int = 10
    failure_share: float = 0.5
    short_window_seconds: int = 5
    long_window_seconds: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class CircuitRules:
    """One dependency's numbers for one environment."""

    calls_min: int
    """Fewer calls in a window than this say nothing."""
    failure_share: float
    failure_window_seconds: float
    slow_call_seconds: float
    """A call that waits longer is slow, from then on."""
    slow_share: float
    slow_window_seconds: float
    open_seconds: float
    """The first time; doubled at every opening that follows at once."""
    fleet: FleetRules | None = None
    """None: each environment judges by itself."""

    def __post_init__(self) -> None:
        if self.slow_window_seconds > self.slow_call_seconds:
            raise ValueError("answers from before a hang would outvote it")
        if self.calls_min < 1 or self.open_seconds <= 0:
            raise ValueError("a circuit needs calls to judge, and a time to be open")


RULES: Final[Mapping[Dependency, CircuitRules]] = MappingProxyType(
    {
        Dependency.DRUPAL_RPC: CircuitRules(
            calls_min=5,
            failure_share=0.5,
            failure_window_seconds=10.0,
            slow_call_seconds=4.0,
            slow_share=0.6,
            slow_window_seconds=4.0,
            open_seconds=5.0,
            fleet=FleetRules(),
        ),
        # Rare calls, each worth much: a longer look back, and a pair in doubt for every timeout.
        Dependency.DRUPAL_OAUTH: CircuitRules(
            calls_min=5,
            failure_share=0.6,
            failure_window_seconds=60.0,
            slow_call_seconds=5.0,
            slow_share=0.6,
            slow_window_seconds=5.0,
            open_seconds=8.0,
            fleet=FleetRules(long_window_seconds=50),
        ),
        Dependency.DRUPAL_SEARCH: CircuitRules(
            calls_min=5,
            failure_share=0.5,
            failure_window_seconds=10.0,
            slow_call_seconds=3.0,
            slow_share=0.6,
            slow_window_seconds=3.0,
            open_seconds=5.0,
            fleet=FleetRules(),
        ),
        # Counts connects: an environment with a live connection makes none.
        Dependency.POSTGRES: CircuitRules(
            calls_min=3,
            failure_share=0.5,
            failure_window_seconds=10.0,
            slow_call_seconds=1.0,
            slow_share=0.8,
            slow_window_seconds=1.0,
            open_seconds=1.0,
        ),
        Dependency.KMS: CircuitRules(
            calls_min=3,
            failure_share=0.5,
            failure_window_seconds=30.0,
            slow_call_seconds=3.0,
            slow_share=0.8,
            slow_window_seconds=3.0,
            open_seconds=5.0,
        ),
    }
)


def fleet_terms(rules: CircuitRules) -> FleetTerms | None:
    """The numbers by which the fleet judges, or None if each environment judges by itself."""
    if rules.fleet is None:
        return None
    return FleetTerms(
        failures_min=rules.fleet.failures_min,
        failure_share=rules.fleet.failure_share,
        short_window_seconds=rules.fleet.short_window_seconds,
        long_window_seconds=rules.fleet.long_window_seconds,
        open_seconds=rules.open_seconds,
        open_seconds_max=OPEN_SECONDS_MAX,
        asked_seconds_max=ASKED_OPEN_SECONDS_MAX,
        jitter_share=JITTER_SHARE,
        ramp_seconds=RAMP_SECONDS,
        probe_seconds_max=PROBE_SECONDS_MAX,
    )
