"""Nets of a refresh in memory, that can be away: for tests of the refresh, not of the nets."""

from collections.abc import Callable

from shared.domain.identifiers import GrantId
from shared.domain.spilled_pairs import SpilledPair
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode


class NetAwayError(UnavailableError):
    """The net is away."""

    code = ErrorCode.SPILL_UNAVAILABLE


class RememberedPairs:
    """A second store; ``away`` makes every call fail, ``asked`` counts reads."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[GrantId, int], SpilledPair] = {}
        self.away = False
        self.asked = 0
        self.on_get: Callable[[], None] = lambda: None

    async def put(self, spilled: SpilledPair) -> None:
        """Keep it."""
        self._check()
        self.pairs[(spilled.grant_id, spilled.pair_generation)] = spilled

    async def get(self, grant_id: GrantId, pair_generation: int) -> SpilledPair | None:
        """What was kept."""
        self._check()
        self.asked += 1
        self.on_get()
        return self.pairs.get((grant_id, pair_generation))

    def _check(self) -> None:
        if self.away:
            raise NetAwayError


class RememberedRepeats:
    """A watchdog that only notes what it was asked for."""

    def __init__(self) -> None:
        self.armed: list[tuple[GrantId, int, int]] = []
        self.away = False
        self.on_arm: Callable[[], None] = lambda: None

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """Note it."""
        if self.away:
            raise NetAwayError
        self.on_arm()
        self.armed.append((grant_id, pair_generation, delay_seconds))
