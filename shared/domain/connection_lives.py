"""How long a connection is used before another takes its place.

Old connections keep an old address, an old certificate and whatever leaks on either side; all of
an environment's fleet replacing theirs at once would be a storm, so each life is cut by its own
share.
"""

from dataclasses import dataclass, replace
from typing import Final

JITTER_SHARE_MAX: Final = 0.2


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLife:
    """A connection is replaced after ``seconds_max`` or ``uses_max``, whichever comes first."""

    seconds_max: float = 1_800.0
    uses_max: int = 10_000

    def drawn(self, chance: float) -> "ConnectionLife":
        """The life of one connection: shorter by up to a fifth, as ``chance`` (0 to 1) has it."""
        share = 1 - JITTER_SHARE_MAX * chance
        uses_max = max(1, round(self.uses_max * share))
        return replace(self, seconds_max=self.seconds_max * share, uses_max=uses_max)

    def is_over(self, *, age_seconds: float, uses: int) -> bool:
        """Whether it is time for another."""
        return age_seconds >= self.seconds_max or uses >= self.uses_max
