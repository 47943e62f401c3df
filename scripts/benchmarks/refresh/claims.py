"""What it costs to find the grants that are due among many."""

import asyncio
import time
from dataclasses import dataclass
from typing import Final

import psycopg

from scripts.benchmarks.refresh.world import World
from scripts.benchmarks.samples import Tail, tail
from shared.state import grants
from shared.state.database import Database

BATCH: Final = 200
_PUSH_SECONDS: Final = 300.0
_MINUTES: Final = 60
"""Over so many minutes the grants fall due: what a life of one hour makes of a crowd."""
# The pair itself is longer than Postgres keeps in a row, so that the row holds a pointer to it: of
# about this size.
_PEOPLE: Final = """
    INSERT INTO app.users (user_id, site, subject, salt)
    SELECT gen_random_uuid(), 'https://site.example', n::text,
           decode(repeat(md5(n::text), 2), 'hex')
      FROM generate_series(1, %(grants)s / 2) AS n
"""
_CLIENT: Final = """
    INSERT INTO app.clients (client_id, kind, client_name, redirect_uris)
    VALUES ('measured', 'dynamic', 'Measured', '{http://127.0.0.1/callback}')
"""
_KEY: Final = """
    INSERT INTO app.data_keys (generation, wrapped_key, kms_key_id) VALUES (1, 'x', 'x')
"""
_GRANTS: Final = """
    INSERT INTO app.grants (grant_id, user_id, client_id, pair_ciphertext, key_generation,
                            access_expires_at, refresh_at)
    SELECT gen_random_uuid(), u.user_id, 'measured', decode(md5(n::text), 'hex'), 1,
           app.now() + interval '1 hour',
           app.now() + make_interval(secs => (random() * 2 - 1) * 60 * %(minutes)s / 2)
      FROM app.users u, generate_series(1, 2) AS n
"""


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Batches of ``BATCH`` due grants, taken one after the other."""

    grants: int
    batch_ms: Tail
    per_second: float
    """Grants found and moved on."""


def measure(world: World, *, grants_in_all: int, batches: int) -> Claims:
    """Fill a database with so many grants, half of them overdue, and take batches."""
    conninfo = world.new_database()
    with psycopg.connect(conninfo) as connection:
        connection.execute(_CLIENT)
        connection.execute(_KEY)
        connection.execute(_PEOPLE, {"grants": grants_in_all})
        connection.execute(_GRANTS, {"minutes": _MINUTES})
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE) app.grants")
    taken = asyncio.run(_take(conninfo, batches))
    return Claims(
        grants=grants_in_all,
        batch_ms=tail(taken),
        per_second=BATCH * len(taken) / (sum(taken) / 1000),
    )


async def _take(conninfo: str, batches: int) -> list[float]:
    database = Database(conninfo)
    taken = []
    try:
        for _ in range(batches):
            started = time.perf_counter()
            async with database.autocommit() as tx:
                found = await grants.due(tx, limit=BATCH, push_seconds=_PUSH_SECONDS)
            taken.append((time.perf_counter() - started) * 1000)
            if len(found) != BATCH:
                raise RuntimeError(f"only {len(found)} grants were due")
    finally:
        await database.close()
    return taken
