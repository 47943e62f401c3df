"""One tick of the schedule: the grants that are due, refreshed a few at a time.

Never begins a refresh that the end of the invocation could cut off, and stops when Drupal is
away: what is left is due again in a few minutes, or refreshed by the next call that needs it.
"""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from shared.domain.identifiers import GrantId
from shared.domain.refresh_times import REFRESH_DEADLINE_SECONDS
from shared.errors.base import ServiceError
from shared.observability import crash_reports, metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import grants
from shared.state.database import Database
from shared.upstream.failures import UpstreamMisconfiguredError
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome

PUSH_SECONDS = 300.0
"""A grant taken by one tick is due for the next one only after this time."""
BEGIN_SECONDS_MIN = REFRESH_DEADLINE_SECONDS + 7.0
"""Left of the invocation when a refresh begins: Drupal's time, and that of storing its answer."""
INDETERMINATE_IN_A_ROW_MAX = 5


@dataclass(slots=True)
class _Progress:
    counts: dict[str, int] = field(
        default_factory=lambda: {outcome.value: 0 for outcome in RefreshOutcome}
    )
    indeterminate_in_a_row: int = 0
    refused: bool = False
    """Drupal does not know our client (any more): no other refresh can work."""

    def note(self, outcome: RefreshOutcome) -> None:
        self.counts[outcome.value] += 1
        failed = outcome is RefreshOutcome.INDETERMINATE
        self.indeterminate_in_a_row = self.indeterminate_in_a_row + 1 if failed else 0

    @property
    def pointless(self) -> bool:
        return self.refused or self.indeterminate_in_a_row >= INDETERMINATE_IN_A_ROW_MAX


class RefreshTick:
    """Refreshes what is due."""

    def __init__(
        self,
        database: Database,
        refresher: GrantRefresher,
        *,
        batch_max: int,
        concurrency_max: int,
        seconds_left: Callable[[], float],
    ) -> None:
        self._database = database
        self._refresher = refresher
        self._batch_max = batch_max
        self._concurrency_max = concurrency_max
        self._seconds_left = seconds_left

    async def run(self) -> dict[str, int]:
        """Refresh up to ``batch_max`` due grants; how many ended in which outcome."""
        async with self._database.autocommit() as tx:
            due = await grants.due(tx, limit=self._batch_max, push_seconds=PUSH_SECONDS)
        metrics.count(MetricName.GRANTS_DUE, len(due))
        progress = _Progress()
        waiting = iter(due)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency_max, len(due))):
                group.create_task(self._work(waiting, progress))
        left = len(due) - sum(progress.counts.values())
        log.info("refresh tick ended", due=len(due), left=left, **progress.counts)
        return progress.counts

    async def _work(self, waiting: Iterator[tuple[GrantId, int]], progress: _Progress) -> None:
        while not progress.pointless and self._seconds_left() >= BEGIN_SECONDS_MIN:
            taken = next(waiting, None)
            if taken is None:
                return
            progress.note(await self._refresh(*taken, progress=progress))

    async def _refresh(
        self, grant_id: GrantId, pair_generation: int, *, progress: _Progress
    ) -> RefreshOutcome:
        """One grant's outcome; a failure of ours costs this grant its turn, not the others."""
        try:
            return await self._refresher.refresh(grant_id, pair_generation)
        except UpstreamMisconfiguredError as error:
            progress.refused = True
            log.error("upstream refuses our client", error=error)
        except ServiceError as error:
            log.warning("grant not refreshed", error=error, grant_id=str(grant_id))
        except Exception as error:  # noqa: BLE001 - the others' refreshes are under way
            report_id = crash_reports.report(error)
            log.exception("refresh crashed", grant_id=str(grant_id), report_id=report_id)
        return RefreshOutcome.INDETERMINATE
