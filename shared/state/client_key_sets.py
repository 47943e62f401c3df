"""The cache of keys that clients publish at addresses of their own.

Never decides whether keys may still be used: that is the domain's.
"""

import math
from collections.abc import Mapping
from typing import Any, LiteralString

from psycopg.types.json import Json

from shared.domain.client_keys import StoredKeySet
from shared.state.database import Transaction

_FIND: LiteralString = """
    SELECT keys, extract(epoch FROM app.now() - fetched_at)::double precision AS age_seconds,
           coalesce(fresh_until > app.now(), false) AS is_fresh,
           CASE WHEN retry_at > app.now() THEN fault END AS fault
      FROM app.client_key_sets WHERE jwks_uri = %(jwks_uri)s
"""

_STORE: LiteralString = """
    INSERT INTO app.client_key_sets (jwks_uri, keys, fetched_at, fresh_until)
    VALUES (%(jwks_uri)s, %(keys)s, app.now(),
            app.now() + make_interval(secs => %(fresh_seconds)s))
    ON CONFLICT (jwks_uri) DO UPDATE
       SET keys = EXCLUDED.keys, fetched_at = EXCLUDED.fetched_at,
           fresh_until = EXCLUDED.fresh_until, fault = NULL, retry_at = NULL,
           changed_at = app.now()
"""

# What was good stays: a failure is remembered beside it, never in its place.
_STORE_FAILURE: LiteralString = """
    INSERT INTO app.client_key_sets (jwks_uri, fault, retry_at)
    VALUES (%(jwks_uri)s, %(fault)s, app.now() + make_interval(secs => %(retry_seconds)s))
    ON CONFLICT (jwks_uri) DO UPDATE
       SET fault = EXCLUDED.fault, retry_at = EXCLUDED.retry_at, changed_at = app.now()
"""


async def find(tx: Transaction, jwks_uri: str) -> StoredKeySet | None:
    """What is known of the keys at this address, however old; None if never asked for."""
    found = await tx.row(_FIND, {"jwks_uri": jwks_uri})
    if found is None:
        return None
    age_seconds = found["age_seconds"]
    return StoredKeySet(
        keys=found["keys"],
        age_seconds=math.inf if age_seconds is None else age_seconds,
        is_fresh=found["is_fresh"],
        fault=found["fault"],
    )


async def store(
    tx: Transaction, jwks_uri: str, keys: Mapping[str, Any], *, fresh_seconds: int
) -> None:
    """Keep keys that were just fetched, and use them for ``fresh_seconds`` without asking."""
    values = {"jwks_uri": jwks_uri, "keys": Json(dict(keys)), "fresh_seconds": fresh_seconds}
    await tx.execute(_STORE, values)


async def store_failure(tx: Transaction, jwks_uri: str, *, fault: str, retry_seconds: int) -> None:
    """Remember that a fetch failed; for ``retry_seconds`` nobody tries again."""
    values = {"jwks_uri": jwks_uri, "fault": fault, "retry_seconds": retry_seconds}
    await tx.execute(_STORE_FAILURE, values)
