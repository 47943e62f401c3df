"""A clock for circuits that goes on while an environment is frozen."""

import time
from collections.abc import Callable
from typing import Final

LEAP_SECONDS_MIN: Final = 1.0
"""The wall clock is believed only when it is so much ahead: it is also set by people."""


class FreezeAwareClock:
    """Seconds since its making: never backwards, and a freeze between requests counts.

    A frozen environment's monotonic clock may stand still. A circuit would then stay open for
    calls that come minutes later.
    """

    def __init__(
        self,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._monotonic = monotonic
        self._wall = wall
        self._seen = (monotonic(), wall())
        self._seconds = 0.0

    def __call__(self) -> float:
        """Seconds that have passed."""
        now = (self._monotonic(), self._wall())
        passed = max(0.0, now[0] - self._seen[0])
        by_wall = now[1] - self._seen[1]
        self._seen = now
        self._seconds += by_wall if by_wall > passed + LEAP_SECONDS_MIN else passed
        return self._seconds
