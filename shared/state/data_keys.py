"""Wrapped data keys, one per generation. Never sees a key in the open."""

from typing import Any, LiteralString

from shared.domain.data_keys import WrappedDataKey
from shared.state.database import Database, Transaction

__all__ = ["StoredDataKeys", "WrappedDataKey", "add", "find", "newest"]

_NEWEST: LiteralString = """
    SELECT generation, wrapped_key, kms_key_id FROM app.data_keys
     ORDER BY generation DESC LIMIT 1
"""

_FIND: LiteralString = """
    SELECT generation, wrapped_key, kms_key_id FROM app.data_keys
     WHERE generation = %(generation)s
"""

_ADD: LiteralString = """
    INSERT INTO app.data_keys (generation, wrapped_key, kms_key_id)
    VALUES (%(generation)s, %(wrapped_key)s, %(kms_key_id)s)
    ON CONFLICT (generation) DO NOTHING
"""


async def newest(tx: Transaction) -> WrappedDataKey | None:
    """The newest generation, or None before the first seal of a stage."""
    return _key_or_none(await tx.row(_NEWEST))


async def find(tx: Transaction, generation: int) -> WrappedDataKey | None:
    """The data key of this generation, or None."""
    return _key_or_none(await tx.row(_FIND, {"generation": generation}))


async def add(tx: Transaction, key: WrappedDataKey) -> bool:
    """Store a new generation; False when it exists already, and then nothing changed."""
    added = await tx.execute(
        _ADD,
        {
            "generation": key.generation,
            "wrapped_key": key.wrapped_key,
            "kms_key_id": key.kms_key_id,
        },
    )
    return added == 1


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
        async with self._database.autocommit() as tx:
            return await add(tx, key)


def _key_or_none(found: dict[str, Any] | None) -> WrappedDataKey | None:
    if found is None:
        return None
    return WrappedDataKey(
        generation=found["generation"],
        wrapped_key=bytes(found["wrapped_key"]),
        kms_key_id=found["kms_key_id"],
    )
