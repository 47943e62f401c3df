"""The end of the request under way, and what still fits before it."""

import math
from dataclasses import dataclass
from typing import Final

ANSWER_SECONDS: Final = 2.0
"""Kept for the answer: a call to a dependency has to be over this long before the deadline."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """``at`` is on the scale of the clock that ``now`` comes from, in seconds."""

    at: float = math.inf

    def call_seconds(self, timeout_seconds: float, now: float) -> float:
        """How long a call may take: its own timeout, or what is left with time to answer."""
        return max(0.0, min(timeout_seconds, self.at - ANSWER_SECONDS - now))

    def holds(self, seconds: float, now: float) -> bool:
        """Whether something that takes ``seconds`` leaves time to answer."""
        return now + seconds + ANSWER_SECONDS <= self.at
