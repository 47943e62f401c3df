"""What an environment tells the fleet, and when: little while all is well, once a second at most.

Nobody waits for it. Where the store is away, reports are dropped and the environment goes on alone.
"""

from collections.abc import Callable
from typing import Final, Protocol
from uuid import UUID

from shared.domain.circuits import (
    CallReport,
    Dependency,
    FleetTerms,
    FleetView,
    ProbeReport,
    ProbeTurn,
)

SAMPLED_CALLS: Final = 20
"""While all is well one success in so many is reported, and counts for all of them."""
ATTENTIVE_SECONDS: Final = 10.0
"""After a failure every call is counted for so long: the share has to be right just then."""
REPORT_SECONDS: Final = 1.0
"""Between two reports of one environment."""
GATHER_SECONDS: Final = 0.02
"""A report waits so long for others that come at the same moment."""
STALE_SECONDS: Final = 5.0
"""What is older says nothing about now: a frozen environment wakes up with it."""


class Fleet(Protocol):
    """Where environments share their circuits; all of it raises ``UnavailableError``."""

    async def view(self) -> FleetView:
        """All circuits that are not simply closed."""
        ...

    async def report(
        self, dependency: Dependency, report: CallReport, terms: FleetTerms
    ) -> FleetView:
        """Add what was seen; the circuits after that."""
        ...

    async def claim_probe(
        self, dependency: Dependency, owner: UUID, terms: FleetTerms
    ) -> ProbeTurn:
        """Ask to be the one who tries the dependency for all."""
        ...

    async def end_probe(
        self,
        dependency: Dependency,
        owner: UUID,
        found: ProbeReport,
        terms: FleetTerms,
    ) -> FleetView:
        """Tell what the probe has found; the circuits after that."""
        ...


class Tally:
    """Calls of one dependency that are still to be reported."""

    def __init__(self, chance: Callable[[], float]) -> None:
        self._chance = chance
        self._attentive_until = float("-inf")
        self._calls = 0
        self._failures = 0
        self._asked_wait_seconds: float | None = None
        self._since = float("-inf")
        self._reported_at = float("-inf")

    def count(self, now: float, *, failed: bool, asked_wait_seconds: float | None = None) -> None:
        """Note one call: failures and what comes soon after one exactly, other calls sampled."""
        self._drop_stale(now)
        if asked_wait_seconds is not None:
            self._asked_wait_seconds = max(self._asked_wait_seconds or 0.0, asked_wait_seconds)
        if failed:
            self._attentive_until = now + ATTENTIVE_SECONDS
            self._failures += 1
        if now < self._attentive_until:
            self._calls += 1
        elif self._chance() < 1 / SAMPLED_CALLS:
            self._calls += SAMPLED_CALLS
        if self._calls and self._since == float("-inf"):
            self._since = now

    def due_in(self, now: float) -> float | None:
        """Seconds until the next report is to go out; None if there is nothing to report."""
        self._drop_stale(now)
        if not self._calls:
            return None
        return max(GATHER_SECONDS, self._reported_at + REPORT_SECONDS - now)

    def take(self, now: float) -> CallReport:
        """What is to be reported; it is forgotten here."""
        report = CallReport(
            calls=self._calls,
            failures=self._failures,
            asked_wait_seconds=self._asked_wait_seconds,
        )
        self._forget()
        self._reported_at = now
        return report

    def _drop_stale(self, now: float) -> None:
        if now - self._since > STALE_SECONDS:  # also where nothing is counted
            self._forget()

    def _forget(self) -> None:
        self._calls = self._failures = 0
        self._asked_wait_seconds = None
        self._since = float("-inf")
