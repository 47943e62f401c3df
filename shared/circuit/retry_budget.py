"""Whether a failed call is tried once more, and after which wait: the only place that decides it.

Writes never are: nobody knows whether they have happened. Reads are, once, if the budget has room,
if the dependency did not ask for longer, and if the deadline can hold the wait and another try.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from shared.circuit.deadline import Deadline

TOKENS_MAX: Final = 10.0
RETRY_COST: Final = 1.0
SUCCESS_GAIN: Final = 0.1
"""So that at most one call in ten is a repeat, however long an outage lasts."""
WAIT_SECONDS_MAX: Final = 0.4
"""Full jitter: the wait is anything from none to this."""
RETRIES_MAX: Final = 1


class Access(StrEnum):
    """What a call does to the dependency."""

    READ = "read"
    WRITE = "write"
    """Or anything that is not known to be a read."""


@dataclass(frozen=True, slots=True)
class RetryBudget:
    """Tokens: a retry takes one, every success brings a tenth of one."""

    tokens: float = TOKENS_MAX

    def after_success(self) -> "RetryBudget":
        """The budget after a call that needed no retry."""
        return replace(self, tokens=min(TOKENS_MAX, self.tokens + SUCCESS_GAIN))

    def after_retry(self) -> "RetryBudget":
        """The budget after a retry."""
        return replace(self, tokens=max(0.0, self.tokens - RETRY_COST))

    @property
    def allows_retry(self) -> bool:
        """Whether there is a token left."""
        return self.tokens >= RETRY_COST


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedTry:
    """A call that has just failed in a way that may pass."""

    access: Access
    retries_made: int
    asked_wait_seconds: float | None
    """The dependency's own ``Retry-After``, where it sent one."""
    took_seconds: float
    """The best guess at how long another try takes."""


def wait_before_retry(
    failed: FailedTry, budget: RetryBudget, *, deadline: Deadline, now: float, draw: float
) -> float | None:
    """Seconds to wait before the call is tried again; None if it is not.

    ``draw`` is a number from 0 up to 1, chosen by chance.
    """
    if failed.access is Access.WRITE or failed.retries_made >= RETRIES_MAX:
        return None
    if not budget.allows_retry:
        return None
    wait_seconds = draw * WAIT_SECONDS_MAX + (failed.asked_wait_seconds or 0.0)
    if not deadline.holds(wait_seconds + failed.took_seconds, now):
        return None
    return wait_seconds
