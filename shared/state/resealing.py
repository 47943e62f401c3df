"""Pairs that are still sealed under an older data key, found and replaced in batches.

A pair is replaced by itself: only where the row still holds the very pair that was read, and
never with a change of its generation, so that a refresh under way is neither held up nor undone.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, LiteralString
from uuid import UUID

from shared.domain.grants import SealedPair
from shared.domain.identifiers import GrantId, UserId
from shared.state.database import Transaction

_COUNT: LiteralString = """
    SELECT k.generation, count(g.grant_id) AS pairs
      FROM app.data_keys k
      LEFT JOIN app.grants g ON g.key_generation = k.generation AND g.pair_ciphertext IS NOT NULL
     WHERE k.generation < %(newest)s GROUP BY k.generation ORDER BY k.generation
"""

_UNDER_OLD_KEYS: LiteralString = """
    SELECT g.grant_id, g.user_id, u.salt, g.pair_generation, g.pair_ciphertext, g.key_generation
      FROM app.grants g JOIN app.users u USING (user_id)
     WHERE g.pair_ciphertext IS NOT NULL AND g.key_generation < %(newest)s
       AND u.salt IS NOT NULL
       AND (g.key_generation, g.grant_id) > (%(after_generation)s, %(after_grant)s)
     ORDER BY g.key_generation, g.grant_id LIMIT %(limit)s
"""

# Rows that somebody holds are left for the next time: whoever stores a new pair there seals it
# under the newest key anyway.
_REPLACE: LiteralString = """
    WITH given AS (
        SELECT * FROM unnest(%(grant_ids)s::uuid[], %(pair_generations)s::bigint[],
                             %(former_generations)s::integer[], %(former)s::bytea[],
                             %(ciphertexts)s::bytea[], %(key_generations)s::integer[])
            AS t (grant_id, pair_generation, former_generation, former, ciphertext, key_generation)
    ), held AS (
        SELECT g.grant_id, given.ciphertext, given.key_generation
          FROM app.grants g JOIN given USING (grant_id)
         WHERE g.pair_generation = given.pair_generation
           AND g.key_generation = given.former_generation
           AND g.pair_ciphertext = given.former
           FOR NO KEY UPDATE OF g SKIP LOCKED
    )
    UPDATE app.grants g
       SET pair_ciphertext = held.ciphertext, key_generation = held.key_generation
      FROM held WHERE g.grant_id = held.grant_id
"""


_FIRST_ID: Final = UUID(int=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredPair:
    """A sealed pair as its row holds it, and what opens it."""

    grant_id: GrantId
    user_id: UserId
    user_salt: bytes = field(repr=False)
    pair_generation: int
    pair: SealedPair


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a walk over the pairs under older keys has come."""

    key_generation: int = 0
    grant_id: UUID = _FIRST_ID


START: Final = Place()


async def count_by_generation(tx: Transaction, *, newest: int) -> dict[int, int]:
    """How many pairs each live generation before ``newest`` still seals."""
    found = await tx.rows(_COUNT, {"newest": newest})
    return {one["generation"]: one["pairs"] for one in found}


async def under_old_keys(
    tx: Transaction, *, newest: int, after: Place, limit: int
) -> list[StoredPair]:
    """Up to ``limit`` pairs under generations before ``newest``, in order, from ``after`` on."""
    found = await tx.rows(
        _UNDER_OLD_KEYS,
        {
            "newest": newest,
            "after_generation": after.key_generation,
            "after_grant": after.grant_id,
            "limit": limit,
        },
    )
    return [
        StoredPair(
            grant_id=GrantId(one["grant_id"]),
            user_id=UserId(one["user_id"]),
            user_salt=bytes(one["salt"]),
            pair_generation=one["pair_generation"],
            pair=SealedPair(
                ciphertext=bytes(one["pair_ciphertext"]), key_generation=one["key_generation"]
            ),
        )
        for one in found
    ]


async def replace(tx: Transaction, resealed: Sequence[tuple[StoredPair, SealedPair]]) -> int:
    """Put the same pairs under their new seals; how many rows still held what was read."""
    return await tx.execute(
        _REPLACE,
        {
            "grant_ids": [old.grant_id for old, _ in resealed],
            "pair_generations": [old.pair_generation for old, _ in resealed],
            "former_generations": [old.pair.key_generation for old, _ in resealed],
            "former": [old.pair.ciphertext for old, _ in resealed],
            "ciphertexts": [new.ciphertext for _, new in resealed],
            "key_generations": [new.key_generation for _, new in resealed],
        },
    )
