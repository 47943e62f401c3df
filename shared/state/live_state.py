"""What lives at the moment, counted for the metrics: sessions, grants, and how old a pair is."""

from dataclasses import dataclass
from typing import LiteralString

from shared.state.database import Transaction

_COUNT: LiteralString = """
    SELECT (SELECT count(*) FROM app.sessions WHERE ended_at IS NULL) AS sessions,
           count(*) AS grants,
           coalesce(max(extract(epoch FROM app.now() - coalesce(r.refreshed_at, g.created_at))), 0)
               AS oldest_pair_seconds
      FROM app.grants g
      LEFT JOIN LATERAL (
               SELECT max(a.finished_at) AS refreshed_at
                 FROM app.refresh_attempts a
                WHERE a.grant_id = g.grant_id AND a.outcome = 'refreshed') r ON true
     WHERE g.status <> 'ended'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveState:
    """Sessions and grants that have not ended; seconds since the least recent pair came."""

    sessions: int
    grants: int
    oldest_pair_seconds: float


async def count(tx: Transaction) -> LiveState:
    """Count it, by the database's clock.

    Raises:
        DatabaseUnavailableError: try again later.
    """
    row = await tx.row(_COUNT)
    if row is None:
        return LiveState(sessions=0, grants=0, oldest_pair_seconds=0)
    return LiveState(
        sessions=row["sessions"],
        grants=row["grants"],
        oldest_pair_seconds=float(row["oldest_pair_seconds"]),
    )
