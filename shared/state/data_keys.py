"""Wrapped data keys, one per generation. Never sees a key in the open.

A generation is added once, wrapped anew under another KMS key where it is as it was read, and
deleted only when no pair can need it any more.
"""

from dataclasses import dataclass
from typing import Any, LiteralString

from shared.domain.data_keys import WrappedDataKey
from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction

__all__ = [
    "NewestDataKey",
    "StoredDataKeys",
    "WrappedDataKey",
    "add",
    "add_when_due",
    "every",
    "find",
    "newest",
    "newest_with_age",
    "retire",
    "rewrap",
]

_NEWEST: LiteralString = """
    SELECT generation, wrapped_key, kms_key_id,
           extract(epoch FROM app.now() - created_at)::float8 AS age_seconds
      FROM app.data_keys ORDER BY generation DESC LIMIT 1
"""

_FIND: LiteralString = """
    SELECT generation, wrapped_key, kms_key_id FROM app.data_keys
     WHERE generation = %(generation)s
"""

_EVERY: LiteralString = """
    SELECT generation, wrapped_key, kms_key_id FROM app.data_keys ORDER BY generation
"""

_ADD: LiteralString = """
    INSERT INTO app.data_keys (generation, wrapped_key, kms_key_id)
    VALUES (%(generation)s, %(wrapped_key)s, %(kms_key_id)s)
    ON CONFLICT (generation) DO NOTHING
"""

# Of two that made the same generation, the unique key lets one in.
_ADD_WHEN_DUE: LiteralString = """
    INSERT INTO app.data_keys (generation, wrapped_key, kms_key_id)
    SELECT %(generation)s, %(wrapped_key)s, %(kms_key_id)s
      FROM app.data_keys former
     WHERE former.generation = %(generation)s - 1
       AND former.created_at <= app.now() - make_interval(secs => %(age_seconds)s)
    ON CONFLICT (generation) DO NOTHING
"""

_REWRAP: LiteralString = """
    UPDATE app.data_keys SET wrapped_key = %(wrapped_key)s, kms_key_id = %(kms_key_id)s
     WHERE generation = %(generation)s AND wrapped_key = %(former_wrapped_key)s
"""

# Sealing stays with a generation for a while after the next one is made, and a pair that is kept
# outside the database comes back to it later still: hence the age of the next one.
_RETIRE: LiteralString = """
    DELETE FROM app.data_keys k
     WHERE EXISTS (SELECT 1 FROM app.data_keys later
                    WHERE later.generation = k.generation + 1
                      AND later.created_at <= app.now() - make_interval(secs => %(age_seconds)s))
       AND NOT EXISTS (SELECT 1 FROM app.grants g WHERE g.key_generation = k.generation)
       AND NOT EXISTS (SELECT 1 FROM app.discarded_pairs d WHERE d.key_generation = k.generation)
    RETURNING k.generation
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewestDataKey:
    """The newest generation, and how old it is by the database's clock."""

    key: WrappedDataKey
    age_seconds: float


async def newest(tx: Transaction) -> WrappedDataKey | None:
    """The newest generation, or None before the first seal of a stage."""
    return _key_or_none(await tx.row(_NEWEST))


async def newest_with_age(tx: Transaction) -> NewestDataKey | None:
    """As ``newest``, with its age in seconds."""
    found = await tx.row(_NEWEST)
    key = _key_or_none(found)
    if found is None or key is None:
        return None
    return NewestDataKey(key=key, age_seconds=found["age_seconds"])


async def find(tx: Transaction, generation: int) -> WrappedDataKey | None:
    """The data key of this generation, or None."""
    return _key_or_none(await tx.row(_FIND, {"generation": generation}))


async def every(tx: Transaction) -> list[WrappedDataKey]:
    """All live generations, the oldest first."""
    return [_key(found) for found in await tx.rows(_EVERY)]


async def add(tx: Transaction, key: WrappedDataKey) -> bool:
    """Store a new generation; False when it exists already, and then nothing changed."""
    return await tx.execute(_ADD, _columns(key)) == 1


async def add_when_due(tx: Transaction, key: WrappedDataKey, *, age_seconds: float) -> bool:
    """Store the generation after the newest, if that one is as old as ``age_seconds``.

    False when somebody else has been faster, and then nothing changed.
    """
    return await tx.execute(_ADD_WHEN_DUE, {**_columns(key), "age_seconds": age_seconds}) == 1


async def rewrap(tx: Transaction, former: WrappedDataKey, wrapped_anew: WrappedDataKey) -> bool:
    """Replace the wrapped form of one generation, if it is still ``former``'s."""
    columns = {**_columns(wrapped_anew), "former_wrapped_key": former.wrapped_key}
    return await tx.execute(_REWRAP, columns) == 1


async def retire(tx: Transaction, *, age_seconds: float) -> list[int]:
    """Delete the generations that no pair needs, and whose successor is older than this."""
    found = await tx.rows(_RETIRE, {"age_seconds": age_seconds})
    return sorted(one["generation"] for one in found)


class StoredDataKeys:
    """Data keys for the vault, each look-up in a statement of its own.

    Never call it, or the vault, while holding a transaction of the same ``Database``: with one
    connection there is none left for it.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def newest(self) -> WrappedDataKey | None:
        """The newest generation, or None."""
        async with self._database.autocommit() as tx:
            return await newest(tx)

    async def find(self, generation: int) -> WrappedDataKey | None:
        """The data key of this generation, or None."""
        async with self._database.autocommit() as tx:
            return await find(tx, generation)

    async def add(self, key: WrappedDataKey) -> bool:
        """Store a new generation; False when it exists already."""
        async with self._database.transaction() as tx:
            added = await add(tx, key)
            await audit_events.append(
                tx,
                AuditAction.DATA_KEY_MADE,
                details={"key_generation": key.generation},
                happened=added,
            )
        return added


def _columns(key: WrappedDataKey) -> dict[str, Any]:
    return {
        "generation": key.generation,
        "wrapped_key": key.wrapped_key,
        "kms_key_id": key.kms_key_id,
    }


def _key_or_none(found: dict[str, Any] | None) -> WrappedDataKey | None:
    return None if found is None else _key(found)


def _key(found: dict[str, Any]) -> WrappedDataKey:
    return WrappedDataKey(
        generation=found["generation"],
        wrapped_key=bytes(found["wrapped_key"]),
        kms_key_id=found["kms_key_id"],
    )
