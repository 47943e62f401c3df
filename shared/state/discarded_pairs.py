"""Drupal's pairs that belong to no grant and are to be burnt.

Never drops one that was not, until its refresh token is dead by itself (``retention``).
"""

from dataclasses import dataclass, field
from typing import LiteralString
from uuid import UUID

from shared.domain.grants import SealedPair
from shared.domain.identifiers import UserId
from shared.state.database import Transaction

_ADD: LiteralString = """
    INSERT INTO app.discarded_pairs
        (pair_id, user_id, pair_ciphertext, key_generation, next_try_at)
    VALUES (%(pair_id)s, %(user_id)s, %(ciphertext)s, %(key_generation)s,
            app.now() + make_interval(secs => %(seconds)s))
"""

# Materialized, as in revocation_outbox: the batch is chosen once, whatever the plan.
_DUE: LiteralString = """
    WITH due AS MATERIALIZED (
        SELECT pair_id FROM app.discarded_pairs
         WHERE next_try_at <= app.now() ORDER BY next_try_at LIMIT %(limit)s
           FOR NO KEY UPDATE SKIP LOCKED
    )
    UPDATE app.discarded_pairs p
       SET tries = p.tries + 1,
           next_try_at = app.now() + make_interval(secs => %(push_seconds)s)
      FROM due, app.users u
     WHERE p.pair_id = due.pair_id AND u.user_id = p.user_id
    RETURNING p.pair_id, p.user_id, u.salt, p.pair_ciphertext, p.key_generation, p.tries
"""

_POSTPONE: LiteralString = """
    UPDATE app.discarded_pairs SET next_try_at = app.now() + make_interval(secs => %(seconds)s)
     WHERE pair_id = %(pair_id)s
"""

_FORGET: LiteralString = "DELETE FROM app.discarded_pairs WHERE pair_id = %(pair_id)s"


@dataclass(frozen=True, slots=True, kw_only=True)
class DiscardedPair:
    """One pair to burn; ``tries`` counts this one."""

    pair_id: UUID
    user_id: UserId
    user_salt: bytes = field(repr=False)
    pair: SealedPair
    tries: int


async def add(
    tx: Transaction, *, pair_id: UUID, user_id: UserId, pair: SealedPair, seconds: float
) -> None:
    """Put a pair on the list, due in ``seconds``: until then its finder burns it."""
    await tx.execute(
        _ADD,
        {
            "pair_id": pair_id,
            "user_id": user_id,
            "ciphertext": pair.ciphertext,
            "key_generation": pair.key_generation,
            "seconds": seconds,
        },
    )


async def due(tx: Transaction, *, limit: int, push_seconds: float) -> list[DiscardedPair]:
    """Up to ``limit`` pairs due, each moved on by ``push_seconds``."""
    found = await tx.rows(_DUE, {"limit": limit, "push_seconds": push_seconds})
    return [
        DiscardedPair(
            pair_id=one["pair_id"],
            user_id=UserId(one["user_id"]),
            user_salt=bytes(one["salt"] or b""),
            pair=SealedPair(
                ciphertext=bytes(one["pair_ciphertext"]), key_generation=one["key_generation"]
            ),
            tries=one["tries"],
        )
        for one in found
    ]


async def postpone(tx: Transaction, *, pair_id: UUID, seconds: float) -> None:
    """Try this one again after ``seconds``."""
    await tx.execute(_POSTPONE, {"pair_id": pair_id, "seconds": seconds})


async def forget(tx: Transaction, pair_id: UUID) -> None:
    """Take a pair off the list: it was burnt."""
    await tx.execute(_FORGET, {"pair_id": pair_id})
