"""A refreshed pair outside the database: sealed all the same, until Postgres can take it."""

from dataclasses import dataclass
from datetime import datetime

from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId


@dataclass(frozen=True, slots=True, kw_only=True)
class SpilledPair:
    """A pair of Drupal's that its grant's row may not hold yet.

    ``pair_generation`` is the one the pair is to be stored as: that of the row, plus one. The
    ciphertext is bound to the very row, person, column and generation, so that it opens nowhere
    else. ``received_at`` is database time; ``life_seconds``, that of the access token, began then.
    """

    grant_id: GrantId
    pair_generation: int
    pair: SealedPair
    life_seconds: int
    received_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SpillPage:
    """Some of the pairs in the second store; ``cursor`` leads to the others, None at the end."""

    pairs: tuple[SpilledPair, ...]
    cursor: object | None
