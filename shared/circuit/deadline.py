"""The end of the request under way, and what still fits before it."""

import math
from dataclasses import dataclass
from typing import Final

ANSWER_SECONDS: Final = 4.0
"""Kept for the answer: work is stopped so long before the deadline."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """``at`` is on the scale of the clock that ``now`` comes from, in seconds."""

    at: float = math.inf

    def holds(self, seconds: float, now: float) -> bool:
        """Whether something that takes ``seconds`` leaves time to answer."""
        return now + seconds + ANSWER_SECONDS <= self.at
