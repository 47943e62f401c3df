"""Once an hour: what single requests do not show. Counts people and sessions, and names none."""

from collections.abc import Awaitable, Callable
from typing import Final

from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import security_watch, session_networks
from shared.state.database import Database, Transaction

TICK_MINUTES: Final = 5
"""The schedule's own pace: of its ticks just one falls into the first minutes of an hour."""

MinuteOfHour = Callable[[Transaction], Awaitable[int]]


class SecurityWatch:
    """Looks at the last day as a whole."""

    def __init__(
        self, database: Database, *, minute_of_hour: MinuteOfHour = security_watch.minute_of_hour
    ) -> None:
        self._database = database
        self._minute_of_hour = minute_of_hour

    async def run(self) -> dict[str, int]:
        """In the first tick of an hour, count; else nothing."""
        async with self._database.autocommit() as tx:
            if await self._minute_of_hour(tx) >= TICK_MINUTES:
                return {}
            readers = await security_watch.bulk_readers(tx)
            sessions = await session_networks.on_many(tx)
        metrics.count(MetricName.BULK_READERS, readers)
        metrics.count(MetricName.SESSIONS_ON_MANY_NETWORKS, sessions)
        if readers or sessions:
            log.warning("odd use within a day", bulk_readers=readers, roaming_sessions=sessions)
        return {"bulk_readers": readers, "sessions_on_many_networks": sessions}
