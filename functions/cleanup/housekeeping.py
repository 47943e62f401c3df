"""One run of the cleanup: lapsed grants end, Drupal is told, what has expired is deleted.

Every step works in bounded batches until nothing is left or the time is up; what is left waits
for the next run. Never deletes by any other rule than those of ``shared.state.retention``.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from shared.domain.sessions import EndCause
from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state import grants, retention, revocation_outbox
from shared.state.database import Database
from shared.state.retention import RetentionRule
from shared.workflows.discard_pair import DiscardedPairDrainer
from shared.workflows.drain_outbox import OutboxDrainer
from shared.workflows.end_grant import end_grant

BATCH_SECONDS_MAX = 5.0
"""Left of the invocation when a batch begins: one statement, and the last words."""
PURGE_SHARE = 0.5
"""So much of the time is for Drupal at most; it may be slow, and deleting must not starve."""
LAPSED_BATCH_MAX = 100


class Chore(Protocol):
    """Something else to do to rows when nobody is waiting."""

    async def run(self) -> dict[str, int]:
        """Do what is due, in bounded time; how many rows each step concerned."""


class Housekeeping:
    """Everything that is done to rows when nobody is waiting."""

    def __init__(
        self,
        database: Database,
        drainer: OutboxDrainer,
        discarded: DiscardedPairDrainer,
        *,
        batch_max: int,
        seconds_left: Callable[[], float],
        rules: Sequence[RetentionRule] = retention.RULES,
        chores: Sequence[Chore] = (),
        first: Sequence[Chore] = (),
    ) -> None:
        self._database = database
        self._drainer = drainer
        self._discarded = discarded
        self._batch_max = batch_max
        self._seconds_left = seconds_left
        self._rules = rules
        self._chores = chores
        self._first = first

    async def run(self) -> dict[str, int]:
        """Do what there is to do; how many rows each step concerned.

        ``first`` comes before Drupal is told: it may find that a grant lives after all.
        """
        done = {"lapsed": await self._end_lapsed()}
        for chore in self._first:
            done.update(await _done_by(chore))
        done.update(await self._tell_upstream())
        for chore in self._chores:
            done.update(await _done_by(chore))
        for rule in self._rules:
            done[rule.name] = await self._purge(rule)
        metrics.count(MetricName.SCHEDULED_RUNS)
        log.info("cleanup ended", **done)
        return done

    async def _tell_upstream(self) -> dict[str, int]:
        """Have Drupal revoke what nobody may use any more; how much was burnt, and put off."""
        reserved = self._seconds_left() * PURGE_SHARE
        told = {"burnt": 0, "postponed": 0}
        for drainer in (self._drainer, self._discarded):
            drained = await drainer.drain(seconds_left=lambda: self._seconds_left() - reserved)
            told["burnt"] += drained.burnt
            told["postponed"] += drained.postponed
        async with self._database.autocommit() as tx:
            pending = await revocation_outbox.count(tx)
        for outcome, number in told.items():
            metrics.count(MetricName.UPSTREAM_REVOCATIONS, number, outcome=outcome)
        metrics.count(MetricName.REVOCATIONS_PENDING, pending)
        return told

    def _has_time(self) -> bool:
        return self._seconds_left() > BATCH_SECONDS_MAX

    async def _end_lapsed(self) -> int:
        """End grants that no client can use any more, so that Drupal hears of it."""
        ended = 0
        while self._has_time():
            async with self._database.transaction() as tx:
                lapsed = await grants.lock_lapsed(tx, limit=LAPSED_BATCH_MAX)
                for grant_id in lapsed:
                    ended += await end_grant(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
            if len(lapsed) < LAPSED_BATCH_MAX:
                break
        return ended

    async def _purge(self, rule: RetentionRule) -> int:
        """Apply one rule; its failure must not keep the others from being applied."""
        deleted = 0
        try:
            with span(SpanName.PURGE, rule=rule.name):
                while self._has_time():
                    async with self._database.autocommit() as tx:
                        batch = await retention.purge(tx, rule, limit=self._batch_max)
                    deleted += batch
                    if batch < self._batch_max:
                        break
        except ServiceError as error:
            log.error("retention rule failed", rule=rule.name, error=error)
        metrics.count(MetricName.ROWS_PURGED, deleted, rule=rule.name)
        return deleted


async def _done_by(chore: Chore) -> dict[str, int]:
    """Let it do its work; its failure must not keep the rest from being done."""
    try:
        return await chore.run()
    except ServiceError as error:
        log.error("chore failed", chore=type(chore).__name__, error=error)
        return {}
