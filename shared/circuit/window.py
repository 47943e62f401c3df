"""What was seen of a dependency lately, in buckets of time: a value of bounded size."""

from dataclasses import dataclass
from typing import Final, Self

BUCKET_SECONDS: Final = 1.0


@dataclass(frozen=True, slots=True)
class Counts:
    """Calls that are judged, how many failed, and how many were too slow.

    A call that waits past the slow limit is counted while it waits; should it fail later, that adds
    a failure without a call.
    """

    calls: int = 0
    failures: int = 0
    slow: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.calls + other.calls, self.failures + other.failures, self.slow + other.slow
        )

    @property
    def failure_share(self) -> float:
        """Failed calls among all, from 0 to 1."""
        return min(1.0, self.failures / self.calls) if self.calls else 0.0

    @property
    def slow_share(self) -> float:
        """Slow calls among all, from 0 to 1."""
        return min(1.0, self.slow / self.calls) if self.calls else 0.0


SUCCESS: Final = Counts(calls=1)
FAILURE: Final = Counts(calls=1, failures=1)
WAITS_TOO_LONG: Final = Counts(calls=1, slow=1)
FAILED_AFTER_ALL: Final = Counts(failures=1)
"""For a call that was counted as slow while it waited."""


@dataclass(frozen=True, slots=True)
class Window:
    """Counts of the last ``seconds``, the newest bucket last."""

    seconds: float
    buckets: tuple[tuple[int, Counts], ...] = ()

    def counted(self, counts: Counts, now: float) -> Self:
        """This window with ``counts`` at ``now``; a time before the newest bucket counts there."""
        index = _index(now)
        if not self.buckets or self.buckets[-1][0] < index:
            first = index - _buckets_in(self.seconds)
            kept = tuple(bucket for bucket in self.buckets if bucket[0] > first)
            return type(self)(self.seconds, (*kept, (index, counts)))
        newest_index, newest = self.buckets[-1]
        return type(self)(self.seconds, (*self.buckets[:-1], (newest_index, newest + counts)))

    def totals(self, now: float, *, seconds: float) -> Counts:
        """The sums over the last ``seconds``, the running bucket being one of them.

        So they reach back at most ``seconds``, and at least one bucket less.
        """
        first = _index(now) - _buckets_in(seconds)
        calls = failures = slow = 0
        for index, counts in self.buckets:
            if index > first:
                calls += counts.calls
                failures += counts.failures
                slow += counts.slow
        return Counts(calls, failures, slow)


def _index(now: float) -> int:
    return int(now // BUCKET_SECONDS)


def _buckets_in(seconds: float) -> int:
    return max(1, int(seconds // BUCKET_SECONDS))
