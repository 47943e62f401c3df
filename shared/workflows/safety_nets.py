"""What catches a refresh whose worker or database dies: a second store, and a repeat.

The workflow says here what it needs; the rooms that talk to other services provide it. Both are
nets: a refresh goes on without them, and their failure must never fail it.
"""

from dataclasses import dataclass
from typing import Protocol

from shared.domain.identifiers import GrantId
from shared.domain.spilled_pairs import SpilledPair


class PairSpill(Protocol):
    """A store in another failure domain than the database, read by key.

    What is put must be found by the next ``get`` (a consistent read), and stay for days.
    """

    async def put(self, spilled: SpilledPair) -> None:
        """Keep ``spilled``, over an earlier one of the same grant and generation.

        Raises:
            UnavailableError: the store is away.
        """

    async def get(self, grant_id: GrantId, pair_generation: int) -> SpilledPair | None:
        """The pair that the grant is to get as ``pair_generation``, or None.

        Raises:
            UnavailableError: the store is away; whether there is one is not known.
        """


class Watchdog(Protocol):
    """Repeats a refresh after a while, whatever has become of this process."""

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """Have ``GrantRefresher.refresh(grant_id, pair_generation)`` called in ``delay_seconds``.

        ``pair_generation`` is that of the pair about to be replaced: where the grant has moved on
        by then, the call does nothing.

        Raises:
            UnavailableError: it could not be arranged.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class SafetyNets:
    """The nets that a process has; without one, the refresh does what it can without it."""

    spill: PairSpill | None = None
    watchdog: Watchdog | None = None


NO_NETS = SafetyNets()
