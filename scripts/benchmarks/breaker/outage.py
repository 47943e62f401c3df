"""What the calls of one outage tell: who was let through, one at a time or not, and who is back."""

from collections.abc import Iterable, Sequence
from typing import Final

from scripts.benchmarks.breaker.caller_process import TIMEOUT_SECONDS, Call

FULL_SECONDS: Final = 2.0
"""Service is full from the moment on from which so long nobody is refused or fails."""


def refused_since(calls: Sequence[Sequence[Call]], hung_at: float) -> float | None:
    """Seconds after ``hung_at`` from which on every process refuses; None if one never does."""
    firsts = [
        next((one.began for one in sorted(own) if one.outcome == "refused"), None) for own in calls
    ]
    known = [first for first in firsts if first is not None]
    return max(known) - hung_at if len(known) == len(firsts) else None


def at_once_max(calls: Iterable[Call], *, since: float, until: float) -> int:
    """The most calls that were out at one moment, of those sent from ``since`` to ``until``."""
    moments = sorted(
        moment
        for one in calls
        if one.outcome != "refused" and since <= one.began < until
        for moment in ((one.began, 1), (one.ended, -1))
    )
    at_once = most = 0
    for _, step in moments:
        at_once += step
        most = max(most, at_once)
    return most


def full_after(calls: Iterable[Call], well_at: float) -> float | None:
    """Seconds from ``well_at`` until service is full; None if it was not by the end."""
    later = sorted(one for one in calls if one.began >= well_at)
    bad = [one.began for one in later if one.outcome != "ok"]
    since = max(bad, default=well_at)
    if not later or later[-1].began - since < FULL_SECONDS:
        return None
    return since - well_at


def failed_early(calls: Iterable[Call], *, before: float) -> int:
    """Calls that failed sooner than a site that hangs can make them fail."""
    return sum(
        one.outcome == "failed" and one.ended - one.began < TIMEOUT_SECONDS and one.began < before
        for one in calls
    )


def refusal_milliseconds(calls: Iterable[Call]) -> list[float]:
    """How long each refusal took."""
    return [(one.ended - one.began) * 1_000 for one in calls if one.outcome == "refused"]
