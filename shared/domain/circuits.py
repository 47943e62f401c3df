"""Circuits: what we depend on, the states of a breaker, and what the fleet says and hears of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final


class Dependency(StrEnum):
    """Everything that has a circuit of its own."""

    DRUPAL_RPC = "drupal_rpc"
    """The site's JSON-RPC endpoint: content, tools, lists."""
    DRUPAL_OAUTH = "drupal_oauth"
    """The site's OAuth server: codes and refreshes."""
    DRUPAL_SEARCH = "drupal_search"
    """The search engine behind the site's search method; the site itself may be well."""
    POSTGRES = "postgres"
    KMS = "kms"


class CircuitState(StrEnum):
    """Whether calls go through."""

    CLOSED = "closed"
    """They do; after an opening a growing share of them."""
    OPEN = "open"
    """They do not, until a while is over."""
    HALF_OPEN = "half_open"
    """One does, to see whether the dependency is back."""
    FORCED_OPEN = "forced_open"
    """They do not, until an operator says so."""
    DISABLED = "disabled"
    """They do, whatever happens, until an operator says so."""


FORCED_STATES: Final = frozenset({CircuitState.FORCED_OPEN, CircuitState.DISABLED})
"""Only an operator brings a circuit into one of these, or out of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetCircuit:
    """One circuit as all environments share it; durations as of the moment it was read."""

    state: CircuitState
    version: int
    """Moves on at every change: of two versions the higher one is the newer."""
    openings: int = 0
    """Times in a row that it has opened."""
    open_for_seconds: float = 0.0
    """Until the next probe may go out."""
    recovering_for_seconds: float | None = None
    """Since it has closed; None once calls go through in full."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetView:
    """All circuits that are not simply closed, as of ``checked_at`` (database time)."""

    checked_at: datetime
    circuits: Mapping[Dependency, FleetCircuit]


@dataclass(frozen=True, slots=True, kw_only=True)
class FleetTerms:
    """When a circuit opens for every environment at once, and for how long.

    It does in one of two windows: at ``failures_min`` failures that are ``failure_share`` of the
    estimated calls. The short window sees a sudden end, the long one makes up for few calls.
    """

    failures_min: int
    failure_share: float
    short_window_seconds: int
    long_window_seconds: int
    open_seconds: float
    """The first time; doubled at every opening that follows at once."""
    open_seconds_max: float
    asked_seconds_max: float
    """A dependency that asks for a longer rest gets so much."""
    jitter_share: float
    ramp_seconds: float
    probe_seconds_max: float


@dataclass(frozen=True, slots=True, kw_only=True)
class CallReport:
    """What one environment has seen of a dependency since its last report."""

    calls: int
    """Sampled successes count as many as they stand for."""
    failures: int
    """Failed or too slow; each call once."""
    asked_wait_seconds: float | None = None
    """The longest rest that the dependency has asked for (``Retry-After``)."""


class ProbeOutcome(StrEnum):
    """What a probe has found."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SILENT = "silent"
    """Nothing: it ended for a reason that says nothing about the dependency."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeReport:
    """What a probe tells the fleet."""

    outcome: ProbeOutcome
    asked_wait_seconds: float | None = None
    """The rest that the dependency has asked for (``Retry-After``)."""


class ProbeTurn(StrEnum):
    """Whether this environment may try the dependency for the whole fleet."""

    GRANTED = "granted"
    TAKEN = "taken"
    """Another one is at it."""
    TOO_EARLY = "too_early"
    """The fleet's open time has been prolonged meanwhile."""
