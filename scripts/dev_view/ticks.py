"""Schedules as they ran: the last tick of each, what came of it, and when the next one is due."""

import time
from dataclasses import dataclass
from typing import Final

from shared.observability.redaction import redact_text

OUTCOME_LENGTH_MAX: Final = 4_000


@dataclass(frozen=True, slots=True)
class Tick:
    """The newest tick of one schedule; times in epoch seconds."""

    function: str
    interval_seconds: float
    at: float
    outcome: str
    failed: bool

    @property
    def next_at(self) -> float:
        """When the next one is due."""
        return self.at + self.interval_seconds


class TickBook:
    """The newest tick of every schedule."""

    def __init__(self) -> None:
        self._ticks: dict[str, Tick] = {}

    def note(
        self, function: str, interval_seconds: float, outcome: str, *, failed: bool = False
    ) -> None:
        """A tick has just ended."""
        told = redact_text(outcome)[:OUTCOME_LENGTH_MAX]
        self._ticks[function] = Tick(function, interval_seconds, time.time(), told, failed)

    def ticks(self) -> list[Tick]:
        """By function."""
        return [self._ticks[function] for function in sorted(self._ticks)]
