"""Rolls usage up: the hours that have ended, then the days whose hours are settled.

Each hour and each day is a transaction of its own, so a run can stop anywhere and the next one
goes on; what is due follows from what is done.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Final

from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state import usage_days, usage_rollups
from shared.state.database import Database, Transaction

HOURS_MAX: Final = 500
"""Hours of one run: after a pause of weeks a few runs catch up."""
DAYS_MAX: Final = 40
BATCH_SECONDS_MAX: Final = 10.0
"""Left of the invocation when an hour or a day begins."""

_Roll = Callable[[Transaction, datetime], Awaitable[None]]


class UsageRollUps:
    """What one run of the cleanup does about usage."""

    def __init__(self, database: Database, *, seconds_left: Callable[[], float]) -> None:
        self._database = database
        self._seconds_left = seconds_left

    async def run(self) -> dict[str, int]:
        """Roll up what is due; how many hours and days that were."""
        with span(SpanName.ROLL_UP_USAGE):
            hours = await self._all(await self._due_hours(), usage_rollups.roll_hour)
            async with self._database.autocommit() as tx:
                due = await usage_rollups.due_days(tx, limit=DAYS_MAX)
            days = await self._all(due, usage_days.roll_day)
        return {"usage_hours_rolled": hours, "usage_days_rolled": days}

    async def _due_hours(self) -> list[datetime]:
        """Those that are due; with them, once an hour, those that have got rows since."""
        async with self._database.autocommit() as tx:
            due = await usage_rollups.due_hours(tx, limit=HOURS_MAX)
            if not due:
                return []
            late = await usage_rollups.late_hours(tx, limit=HOURS_MAX)
        return sorted({*due, *late})

    async def _all(self, due: Sequence[datetime], roll: _Roll) -> int:
        for done, starts_at in enumerate(due):
            if self._seconds_left() <= BATCH_SECONDS_MAX:
                return done
            async with self._database.transaction() as tx:
                await roll(tx, starts_at)
        return len(due)
