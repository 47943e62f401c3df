"""One tick of the schedule: few due grants are refreshed here, many are sent to the queue.

Either way they are due for the next tick after some minutes only; the lease of a grant is taken by
whoever is about to call Drupal. Never begins a refresh that the end of the invocation could cut
off, and stops when Drupal is away: what is left is due again in a few minutes, or refreshed by the
next call that needs it.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from functions.token_refresh.time_to_begin import BEGIN_SECONDS_MIN
from shared.domain.identifiers import GrantId
from shared.domain.refresh_times import keep_alive_early_seconds
from shared.errors.base import ServiceError
from shared.observability import crash_reports, metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.queue.messages import MessageKind, RefreshMessage
from shared.state import grants, refresh_allowances
from shared.state.database import Database
from shared.state.refresh_allowances import Pace
from shared.upstream.failures import UpstreamMisconfiguredError
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome

PUSH_SECONDS = 300.0
"""A grant taken by one tick is due for the next one only after this time."""
INDETERMINATE_IN_A_ROW_MAX = 5
CLAIM_MAX = 1_000
"""Grants that are taken at once for the queue."""
QUEUED_MAX = 20_000
"""Grants that one tick sends to the queue, at most: what a queue takes in a part of a minute."""

Due = tuple[GrantId, int]
"""A grant, and the generation of its pair."""


class RefreshQueue(Protocol):
    """Where due grants go that are too many for one process."""

    async def send(self, messages: Sequence[RefreshMessage]) -> list[RefreshMessage]:
        """Send ``messages``; the ones that were not taken."""


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
        queue: RefreshQueue | None = None,
        inline_max: int = 0,
        pace: Pace | None = None,
    ) -> None:
        self._database = database
        self._refresher = refresher
        self._batch_max = batch_max
        self._concurrency_max = concurrency_max
        self._seconds_left = seconds_left
        self._queue = queue
        self._inline_max = inline_max
        self._pace = pace

    async def run(self, *, share: float = 1.0) -> dict[str, int]:
        """Refresh up to ``batch_max`` due grants, or send all that are due to the queue.

        Of that, only ``share``: 0 for none, anything above for at least one. Returns how many
        ended in which outcome, and how many were ``queued``.
        """
        limit = 0 if share <= 0 else max(1, int(self._batch_max * share))
        due = await self._claim(limit) if limit else []
        queued = 0
        if self._queue is not None and len(due) > self._inline_max:
            queued, due = await self._send(
                self._queue, due, limit=limit, queued_max=int(QUEUED_MAX * share)
            )
        progress = _Progress()
        waiting = iter(due)
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._concurrency_max, len(due))):
                group.create_task(self._work(waiting, progress))
        left = len(due) - sum(progress.counts.values())
        counts = {**progress.counts, "queued": queued}
        metrics.count(MetricName.SCHEDULED_RUNS)
        log.info("refresh tick ended", left=left, share=share, **counts)
        return counts

    async def _claim(self, limit: int) -> list[Due]:
        """Grants that are due and that the site's pace allows; first those that fade."""
        async with self._database.transaction() as tx:
            allowed = limit
            if self._pace is not None:
                allowed = await refresh_allowances.take(tx, self._pace, wanted=limit)
            due = await grants.fading(
                tx,
                limit=allowed,
                push_seconds=PUSH_SECONDS,
                early_seconds=self._early_seconds(),
            )
            due += await grants.due(
                tx,
                limit=allowed - len(due),
                push_seconds=PUSH_SECONDS,
                seen_within_seconds=self._pace.seen_within_seconds if self._pace else None,
            )
            if self._pace is not None and len(due) < allowed:
                await refresh_allowances.give_back(tx, self._pace, unused=allowed - len(due))
        metrics.count(MetricName.GRANTS_DUE, len(due))
        return due

    def _early_seconds(self) -> float:
        """How much earlier than by default this site's pairs are kept alive."""
        if self._pace is None:
            return 0.0
        return keep_alive_early_seconds(self._pace.refresh_token_seconds)

    async def _send(
        self, queue: RefreshQueue, due: list[Due], *, limit: int, queued_max: int
    ) -> tuple[int, list[Due]]:
        """Send ``due`` and all other due grants; how many went, and those that did not.

        A queue that does not take all is not asked again in this tick.
        """
        claimed, queued = limit, 0
        while True:
            refused = await queue.send(_messages(due))
            queued += len(due) - len(refused)
            done = len(due) < claimed or queued >= queued_max
            if refused or done or self._seconds_left() < BEGIN_SECONDS_MIN:
                return queued, [(one.grant_id, one.pair_generation) for one in refused]
            claimed = CLAIM_MAX
            due = await self._claim(claimed)

    async def _work(self, waiting: Iterator[Due], progress: _Progress) -> None:
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


def _messages(due: Iterable[Due]) -> list[RefreshMessage]:
    return [RefreshMessage.about(MessageKind.REFRESH_DUE, *one) for one in due]
