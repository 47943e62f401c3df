"""How much a tick takes on while the site's OAuth server is in trouble, and in the minutes after.

A site that is just back gets the backlog in growing parts, not at once.
"""

from typing import Final

from shared.circuit.guard import CircuitGuard
from shared.domain.circuits import CircuitState, Dependency

SHARES_AFTER_PAUSE: Final = (0.1, 0.25, 0.5)
"""Of what a tick may take: in the first ticks after a pause; later ones take all."""
PROBE_SHARE: Final = 0.000_001
"""So little that it is one grant, whose refresh shows whether the site is back."""


class Stagger:
    """Remembers the last pause from tick to tick."""

    def __init__(self, circuits: CircuitGuard) -> None:
        self._circuits = circuits
        self._shares_left: tuple[float, ...] = ()

    async def share(self) -> float:
        """The share of a tick's work that may be done now: 0 for none, 1 for all."""
        await self._circuits.hear_fleet()
        standing = self._circuits.standing(Dependency.DRUPAL_OAUTH)
        if standing.state in {CircuitState.CLOSED, CircuitState.DISABLED}:
            return min(standing.share, self._next_share())
        self._shares_left = SHARES_AFTER_PAUSE
        return 0.0 if standing.refuses else PROBE_SHARE

    def _next_share(self) -> float:
        share, *left = (*self._shares_left, 1.0)
        self._shares_left = self._shares_left[1:] if left else ()
        return share
