"""Tells our own share of a piece of work's time from what others took.

Travels in a context variable, so that pieces of work that run at once do not see each other's
waits, and the waits of tasks that a piece of work starts are its own.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class Stopwatch:
    """One piece of work. Waits that overlap count once."""

    __slots__ = ("_away", "_away_since", "_elsewhere_seconds", "_started", "outer")

    def __init__(self, outer: "Stopwatch | None") -> None:
        self.outer = outer
        self._started = time.perf_counter()
        self._elsewhere_seconds = 0.0
        self._away = 0
        self._away_since = 0.0

    @property
    def total_milliseconds(self) -> float:
        """Since the work began."""
        return (time.perf_counter() - self._started) * 1000

    @property
    def own_milliseconds(self) -> float:
        """The same without what was waited for others; never below 0."""
        return max(0.0, self.total_milliseconds - self._elsewhere_seconds * 1000)

    def leave(self) -> None:
        """The work waits for somebody else from now on."""
        if self._away == 0:
            self._away_since = time.perf_counter()
        self._away += 1

    def come_back(self) -> None:
        """One of the waits is over."""
        self._away -= 1
        if self._away == 0:
            self._elsewhere_seconds += time.perf_counter() - self._away_since


_current: ContextVar[Stopwatch | None] = ContextVar("stopwatch", default=None)


@contextmanager
def timed() -> Iterator[Stopwatch]:
    """Time the block as one piece of work, within the one that is under way."""
    watch = Stopwatch(_current.get())
    token = _current.set(watch)
    try:
        yield watch
    finally:
        _current.reset(token)


def spent_milliseconds() -> tuple[float, float]:
    """Total and own time of the work under way; nothing outside of any."""
    watch = _current.get()
    if watch is None:
        return (0.0, 0.0)
    # In this order, so that our own share is never more than the whole.
    own_milliseconds = watch.own_milliseconds
    return (watch.total_milliseconds, own_milliseconds)


@contextmanager
def elsewhere() -> Iterator[None]:
    """The block waits for others: no part of it is ours."""
    watches = list(_running())
    for watch in watches:
        watch.leave()
    try:
        yield
    finally:
        for watch in watches:
            watch.come_back()


def _running() -> Iterator[Stopwatch]:
    watch = _current.get()
    while watch is not None:
        yield watch
        watch = watch.outer
