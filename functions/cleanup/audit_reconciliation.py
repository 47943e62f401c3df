"""Once a night: has every change of the day its audit event, and every served call its grant?

Only counts and tells; a gap is for people to look at, and nothing is written after the fact.
"""

from collections.abc import Awaitable, Callable

from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import audit_coverage
from shared.state.database import Database, Transaction

NIGHT_HOUR_UTC = 3
TICK_MINUTES = 5
"""The schedule's own pace: of its ticks just one falls into the first minutes of the hour."""

TimeOfDay = Callable[[Transaction], Awaitable[tuple[int, int]]]


class AuditReconciliation:
    """Compares what has changed with what the audit trail tells."""

    def __init__(
        self, database: Database, *, time_of_day: TimeOfDay = audit_coverage.time_of_day
    ) -> None:
        self._database = database
        self._time_of_day = time_of_day

    async def run(self) -> dict[str, int]:
        """At night, count the changes of a day with and without their event; else nothing."""
        async with self._database.autocommit() as tx:
            hour, minute = await self._time_of_day(tx)
            if hour != NIGHT_HOUR_UTC or minute >= TICK_MINUTES:
                return {}
            found = await audit_coverage.of_a_day(tx)
            served = await audit_coverage.served_in_a_day(tx)
        changes = sum(one.changes for one in found)
        missing = sum(one.missing for one in found)
        metrics.count(MetricName.AUDITED_CHANGES, changes - missing, outcome="covered")
        metrics.count(MetricName.AUDITED_CHANGES, missing, outcome="missing")
        for one in found:
            if one.missing:
                log.error("changes without audit event", action=one.action, missing=one.missing)
        bypassed = served.without_grant + served.without_permission
        metrics.count(MetricName.AUTHORIZATION_BYPASSES, bypassed)
        if bypassed:
            log.error(
                "calls served without grant or permission",
                without_grant=served.without_grant,
                without_permission=served.without_permission,
            )
        return {
            "changes_audited": changes - missing,
            "changes_not_audited": missing,
            "calls_compared": served.calls,
            "calls_bypassing": bypassed,
        }
