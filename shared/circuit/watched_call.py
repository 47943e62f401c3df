"""One call under way: counted as slow while it still waits, and judged once when it ends."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

from shared.circuit.breaker import Breaker
from shared.circuit.faults import Finding, finding_of
from shared.circuit.machine import Ticket
from shared.circuit.window import FAILED_AFTER_ALL, FAILURE, SUCCESS, WAITS_TOO_LONG
from shared.domain.circuits import ProbeOutcome
from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.metrics import MetricName


class WatchedCall:
    """From its ticket to its end.

    ``timeout_seconds`` is the time it was given; ``slow_counts`` is False where a long wait may be
    another's fault.
    """

    def __init__(
        self,
        breaker: Breaker,
        ticket: Ticket,
        *,
        timeout_seconds: float | None,
        slow_counts: bool,
    ) -> None:
        self.breaker: Final = breaker
        self.ticket: Final = ticket
        self.counted_as_slow = False
        self.asked_wait_seconds: float | None = None
        """What a dependency that failed has asked for (``Retry-After``)."""
        self._slow_seconds: Final = breaker.rules.slow_call_seconds
        self._slow_counts = slow_counts
        self._had_time: Final = slow_counts and (
            timeout_seconds is None or timeout_seconds >= self._slow_seconds
        )
        self._began_at = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._tell: Callable[[], None] = _nobody

    def begin(self, waits_too_long: Callable[[], None]) -> None:
        """The call goes out now; ``waits_too_long`` is called, once, if it does."""
        self._began_at = time.monotonic()
        self._tell = waits_too_long
        if self._slow_counts:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(self._slow_seconds, self._waits_too_long)

    def _waits_too_long(self) -> None:
        if self.counted_as_slow:
            return
        self.counted_as_slow = True
        metrics.count(MetricName.CIRCUIT_SLOW_CALLS, dependency=self.breaker.dependency.value)
        self.breaker.observe(self.ticket, WAITS_TOO_LONG)
        self._tell()

    def end(self, error: BaseException | None) -> ProbeOutcome:
        """Judge the call by how it ended; for a probe, what it has found."""
        if self._timer is not None:
            self._timer.cancel()
            if time.monotonic() - self._began_at >= self._slow_seconds:
                # The loop was busy when the timer was due.
                self._waits_too_long()
        finding = finding_of(self.breaker.dependency, error, had_time=self._had_time)
        if finding is Finding.FAILED:
            failed = FAILED_AFTER_ALL if self.counted_as_slow else FAILURE
            self.asked_wait_seconds = _asked_wait(error)
            self.breaker.observe(self.ticket, failed, asked_wait_seconds=self.asked_wait_seconds)
            return ProbeOutcome.FAILED
        if self.counted_as_slow:
            return ProbeOutcome.FAILED
        if finding is Finding.NOTHING:
            return ProbeOutcome.SILENT
        self.breaker.observe(self.ticket, SUCCESS)
        return ProbeOutcome.SUCCEEDED


def _asked_wait(error: BaseException | None) -> float | None:
    return error.asked_wait_seconds if isinstance(error, ServiceError) else None


def _nobody() -> None:
    """Told when nobody has to be."""
