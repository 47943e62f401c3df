"""Tells with every tick how many sessions and grants live, and how old the oldest pair is."""

from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import live_state
from shared.state.database import Database


class LiveCounts:
    """A chore that changes nothing."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> dict[str, int]:
        """Count, and tell the metrics; no row is touched."""
        async with self._database.autocommit() as tx:
            found = await live_state.count(tx)
        metrics.gauge(MetricName.LIVE_SESSIONS, found.sessions)
        metrics.gauge(MetricName.LIVE_GRANTS, found.grants)
        metrics.gauge(MetricName.OLDEST_PAIR_AGE, found.oldest_pair_seconds)
        return {}
