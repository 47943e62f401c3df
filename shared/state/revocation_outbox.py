"""Ended grants that Drupal still has to be told about. Never drops one that was not told."""

from dataclasses import dataclass
from typing import LiteralString

from shared.domain.identifiers import GrantId
from shared.state.database import Transaction

# Materialized: a plan may evaluate a subquery in FROM more than once, and each time takes a batch.
_DUE: LiteralString = """
    WITH due AS MATERIALIZED (
        SELECT grant_id FROM app.revocation_outbox
         WHERE next_try_at <= app.now() ORDER BY next_try_at LIMIT %(limit)s
           FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE app.revocation_outbox o
       SET tries = o.tries + 1,
           next_try_at = app.now() + make_interval(secs => %(push_seconds)s)
      FROM due
     WHERE o.grant_id = due.grant_id
    RETURNING o.grant_id, o.tries
"""

_COUNT: LiteralString = "SELECT count(*) AS pending FROM app.revocation_outbox"

_POSTPONE: LiteralString = """
    UPDATE app.revocation_outbox
       SET next_try_at = app.now() + make_interval(secs => %(seconds)s)
     WHERE grant_id = %(grant_id)s
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PendingRevocation:
    """One grant to tell Drupal about; ``tries`` counts this one."""

    grant_id: GrantId
    tries: int


async def due(tx: Transaction, *, limit: int, push_seconds: float) -> list[PendingRevocation]:
    """Up to ``limit`` revocations due, each moved on by ``push_seconds``.

    ``grants.forget_pair`` takes one off the list once Drupal was told.
    """
    found = await tx.rows(_DUE, {"limit": limit, "push_seconds": push_seconds})
    return [
        PendingRevocation(grant_id=GrantId(one["grant_id"]), tries=one["tries"]) for one in found
    ]


async def count(tx: Transaction) -> int:
    """How many grants Drupal still has to be told about."""
    found = await tx.row(_COUNT)
    return 0 if found is None else int(found["pending"])


async def postpone(tx: Transaction, *, grant_id: GrantId, seconds: float) -> None:
    """Try this one again after ``seconds``."""
    await tx.execute(_POSTPONE, {"grant_id": grant_id, "seconds": seconds})
