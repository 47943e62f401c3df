"""How long statements take, by their names; the slow ones are logged."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state.statement_names import name_of

SLOW_MILLISECONDS: Final = 250.0
"""A statement that takes this long is logged by its name, where nothing else is set."""


class StatementTimes:
    """Tells the metrics of every statement, and the log of those that took too long."""

    def __init__(self, slow_milliseconds: float = SLOW_MILLISECONDS) -> None:
        self._slow_milliseconds = slow_milliseconds

    @contextmanager
    def timed(self, sql: str) -> Iterator[None]:
        """Time the block as this statement, however it ends."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._tell(name_of(sql), (time.perf_counter() - began) * 1000)

    def _tell(self, statement: str, milliseconds: float) -> None:
        metrics.duration(MetricName.DATABASE_STATEMENT_DURATION, milliseconds, statement=statement)
        if milliseconds >= self._slow_milliseconds:
            log.warning(
                "slow statement",
                statement=statement,
                duration_milliseconds=round(milliseconds),
                threshold_milliseconds=round(self._slow_milliseconds),
            )


def tell_wait(began: float) -> None:
    """A connection is at hand that was asked for at ``began``, of ``time.perf_counter()``."""
    milliseconds = (time.perf_counter() - began) * 1000
    metrics.duration(MetricName.DATABASE_WAIT_DURATION, milliseconds)
