"""Refreshes one grant's pair at Drupal, so that no pair is lost that can be kept.

Drupal revokes the old pair the moment it answers. So everything that can fail without Drupal
fails before it is asked, an attempt is written down first, and nothing ends a grant but Drupal's
clear refusal of a pair that nobody else can have replaced. No transaction is open while Drupal is
awaited.
"""

import asyncio
import secrets
import time
from collections.abc import Coroutine
from dataclasses import replace
from datetime import timedelta
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from shared.circuit.guard import CircuitGuard
from shared.domain.circuits import Dependency
from shared.domain.grants import Grant, GrantStatus, UpstreamPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_DEADLINE_SECONDS,
    REFRESH_LEASE_SECONDS,
    REFRESH_WATCHDOG_SECONDS,
)
from shared.domain.sessions import EndCause
from shared.errors.base import ServiceError, UnavailableError
from shared.observability import metrics, stopwatch
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state import audit_events, grants, refresh_attempts
from shared.state.audit_events import AuditAction
from shared.state.database import Database, DatabaseUnavailableError, Transaction
from shared.state.refresh_attempts import Begun
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.failures import (
    RefreshRejectedError,
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from shared.vault.token_vault import TokenVault
from shared.workflows.end_grant import end_grant
from shared.workflows.keep_pair import PairKeeper, ReceivedPair
from shared.workflows.recover_pair import PairRecovery, Recovery
from shared.workflows.refused_calls import refuse_while_open
from shared.workflows.safety_nets import NO_NETS, SafetyNets
from shared.workflows.sealed_pairs import open_pair

T = TypeVar("T")

BACK_OFF_SECONDS_MIN = 30.0
BACK_OFF_SECONDS_MAX = 90.0
ASK_SHARE_MIN = 0.5
"""Drupal is asked only while this share of the time is left: its answer has to reach somebody."""
BURN_TIMEOUT_SECONDS = 4.0
_random = secrets.SystemRandom()


class RefreshOutcome(StrEnum):
    """How a refresh ended; only ``rejected`` ends a grant."""

    REFRESHED = "refreshed"
    REJECTED = "rejected"
    INDETERMINATE = "indeterminate"
    NOT_DUE = "not_due"
    """Nothing to do: the pair has moved on, someone else is at it, or the grant has ended."""


class GrantRefresher:
    """The one way to a new pair, for the schedule and for calls alike."""

    def __init__(
        self,
        database: Database,
        vault: TokenVault,
        oauth: DrupalOAuth,
        *,
        nets: SafetyNets = NO_NETS,
        circuits: CircuitGuard | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._nets = nets
        self._circuits = circuits
        self._keeper = PairKeeper(database, vault, nets.spill)
        self._recovery = PairRecovery(database, vault, nets.spill)

    async def refresh(
        self,
        grant_id: GrantId,
        pair_generation: int,
        *,
        timeout_seconds: float = REFRESH_DEADLINE_SECONDS,
    ) -> RefreshOutcome:
        """Replace the pair of ``pair_generation``; Drupal's answer is there in ``timeout_seconds``.

        What comes before Drupal is asked counts, too. Once it has been asked, a cancellation
        waits until the answer is stored.

        Raises:
            UpstreamMisconfiguredError: Drupal refuses our client; no grant is to blame.
            DatabaseUnavailableError, KeyServiceUnavailableError: before Drupal was asked.
            UpstreamUnavailableError: the circuit of its OAuth server is open; nothing was begun.
        """
        if self._circuits is not None:
            # Before the grant is claimed: whoever comes later need not wait for a lease.
            refuse_while_open(self._circuits, Dependency.DRUPAL_OAUTH)
        outcome = RefreshOutcome.INDETERMINATE
        with stopwatch.timed() as watch:
            try:
                with span(SpanName.REFRESH):
                    outcome = await self._refresh(grant_id, pair_generation, timeout_seconds)
            finally:
                _count(outcome, watch)
        return outcome

    async def _refresh(
        self, grant_id: GrantId, pair_generation: int, timeout_seconds: float
    ) -> RefreshOutcome:
        time_left = _TimeLeft(min(timeout_seconds, REFRESH_DEADLINE_SECONDS))
        async with self._database.autocommit() as tx:
            grant = await grants.find(tx, grant_id)
        if (
            grant is None
            or grant.status is GrantStatus.ENDED
            or grant.pair_generation != pair_generation
        ):
            return RefreshOutcome.NOT_DUE
        # Both keys are at hand before Drupal is asked: the one that opens, the one that seals.
        pair = await open_pair(self._vault, grant)
        await self._vault.prepare()
        if pair.refresh_token is None:
            return await self._end(grant, EndCause.EXPIRED)
        return await _to_the_end(self._exchange(grant, pair.refresh_token, time_left))

    async def _exchange(
        self, grant: Grant, refresh_token: str, time_left: "_TimeLeft"
    ) -> RefreshOutcome:
        begun = await self._begin(grant)
        if begun is None:
            return RefreshOutcome.NOT_DUE
        begun_at = time.monotonic()
        try:
            if begun.after_doubt and await self._recovered(grant, begun) is Recovery.STORED:
                return RefreshOutcome.REFRESHED
            await self._arm(grant)
            pair = await self._oauth.refresh(refresh_token, timeout_seconds=time_left.to_ask())
        except RefreshRejectedError:
            return await self._refused(grant, begun)
        except UpstreamMisconfiguredError as error:
            metrics.count(MetricName.UPSTREAM_CLIENT_REFUSED)
            await self._not_now(grant, begun.attempt_id, error, in_doubt=False)
            raise
        except UnavailableError as error:
            in_doubt = isinstance(error, UpstreamUnavailableError) and error.sent
            await self._not_now(grant, begun.attempt_id, error, in_doubt=in_doubt)
            return RefreshOutcome.INDETERMINATE
        received_at = begun.started_at + timedelta(seconds=time.monotonic() - begun_at)
        if pair.subject and pair.subject != grant.subject:
            return await self._subject_changed(grant, begun.attempt_id, pair)
        return await self._keep(
            ReceivedPair(
                grant=grant,
                attempt_id=begun.attempt_id,
                pair=replace(pair, subject=grant.subject),
                received_at=received_at,
            )
        )

    async def _begin(self, grant: Grant) -> Begun | None:
        """Claim the grant and write the attempt down; None if it is somebody else's."""
        attempt_id = new_id()
        async with self._database.transaction() as tx:
            claimed = await grants.claim(
                tx,
                grant_id=grant.grant_id,
                pair_generation=grant.pair_generation,
                lease_owner=attempt_id,
                lease_seconds=REFRESH_LEASE_SECONDS,
            )
            if claimed is None:
                return None
            return await refresh_attempts.begin(
                tx,
                attempt_id=attempt_id,
                grant_id=grant.grant_id,
                pair_generation=grant.pair_generation,
            )

    async def _arm(self, grant: Grant) -> None:
        """Have the refresh repeated should this process die; it goes on without that, too."""
        if self._nets.watchdog is None:
            return
        try:
            await self._nets.watchdog.arm(
                grant.grant_id, grant.pair_generation, delay_seconds=REFRESH_WATCHDOG_SECONDS
            )
        except UnavailableError as error:
            log.warning("refresh goes on without a watchdog", error=error)

    async def _recovered(self, grant: Grant, begun: Begun) -> Recovery:
        return await self._recovery.recover(
            grant, now=begun.started_at, attempt_id=begun.attempt_id
        )

    async def _keep(self, received: ReceivedPair) -> RefreshOutcome:
        kept = await self._keeper.keep(received)
        if kept.stored:
            return RefreshOutcome.REFRESHED
        if kept.unwanted:
            await self._burn(received.pair)
            return RefreshOutcome.NOT_DUE
        return RefreshOutcome.INDETERMINATE

    async def _refused(self, grant: Grant, begun: Begun) -> RefreshOutcome:
        """Believe a refusal only of a pair whose successor nobody holds."""
        recovery = Recovery.NOTHING
        if begun.after_doubt:
            # Once more: its worker may have come to itself while Drupal was asked.
            try:
                recovery = await self._recovered(grant, begun)
            except UnavailableError as error:
                log.warning("second store not read", error=error)
                recovery = Recovery.UNKNOWN
        if recovery is Recovery.STORED:
            return RefreshOutcome.REFRESHED
        async with self._database.transaction() as tx:
            outcome = await self._judge(tx, grant, begun, known=recovery is Recovery.NOTHING)
        if outcome is RefreshOutcome.REJECTED:
            log.warning("upstream rejected a refresh", grant_id=str(grant.grant_id))
        return outcome

    async def _judge(
        self, tx: Transaction, grant: Grant, begun: Begun, *, known: bool
    ) -> RefreshOutcome:
        """End the grant, or park it; ``known``: nothing is spilled."""
        current = await grants.find_locked(tx, grant.grant_id)
        await refresh_attempts.finish(tx, attempt_id=begun.attempt_id, outcome="rejected")
        if current is None or current.status is GrantStatus.ENDED:
            return RefreshOutcome.NOT_DUE
        if current.pair_generation != grant.pair_generation:
            return RefreshOutcome.REFRESHED
        if not known or await self._in_doubt(tx, grant, begun):
            await _back_off_in(tx, grant, begun.attempt_id)
            return RefreshOutcome.INDETERMINATE
        lost = await refresh_attempts.any_lost(
            tx, grant_id=grant.grant_id, pair_generation=grant.pair_generation
        )
        await _audit(tx, AuditAction.UPSTREAM_REJECTED, grant)
        await _end_in(tx, grant, EndCause.REPLY_LOST if lost else EndCause.REJECTED_UPSTREAM)
        return RefreshOutcome.REJECTED

    async def _in_doubt(self, tx: Transaction, grant: Grant, begun: Begun) -> bool:
        """Whether another attempt may still hold the new pair, after giving up the old ones."""
        await refresh_attempts.give_up(
            tx,
            grant_id=grant.grant_id,
            pair_generation=grant.pair_generation,
            older_than_seconds=DOUBT_SECONDS_MAX,
        )
        return await refresh_attempts.in_doubt(
            tx,
            grant_id=grant.grant_id,
            pair_generation=grant.pair_generation,
            except_attempt_id=begun.attempt_id,
        )

    async def _subject_changed(
        self, grant: Grant, attempt_id: UUID, pair: UpstreamPair
    ) -> RefreshOutcome:
        """A deleted account's token may act as another person from now on."""
        async with self._database.transaction() as tx:
            await refresh_attempts.finish(tx, attempt_id=attempt_id, outcome="subject_changed")
            await _end_in(tx, grant, EndCause.SUBJECT_CHANGED)
        log.error("upstream answered for another person", grant_id=str(grant.grant_id))
        await self._burn(pair)
        return RefreshOutcome.REJECTED

    async def _end(self, grant: Grant, cause: EndCause) -> RefreshOutcome:
        async with self._database.transaction() as tx:
            await _end_in(tx, grant, cause)
        return RefreshOutcome.REJECTED

    async def _not_now(
        self, grant: Grant, attempt_id: UUID, error: ServiceError, *, in_doubt: bool
    ) -> None:
        """Back off; the grant stays. Without an outcome the attempt stays in doubt."""
        log.warning("upstream refresh came to nothing", error=error, in_doubt=in_doubt)
        try:
            async with self._database.transaction() as tx:
                if not in_doubt:
                    await refresh_attempts.finish(
                        tx, attempt_id=attempt_id, outcome=error.code.value
                    )
                await _back_off_in(tx, grant, attempt_id)
        except DatabaseUnavailableError as failure:
            # Nothing is lost: the lease ends by itself, and doubt is the careful side.
            log.warning("failed refresh not noted", error=failure)

    async def _burn(self, pair: UpstreamPair) -> None:
        try:
            await self._oauth.burn(pair, timeout_seconds=BURN_TIMEOUT_SECONDS)
        except (UnavailableError, UpstreamMisconfiguredError) as error:
            log.warning("unwanted upstream pair not burnt", error=error)


class _TimeLeft:
    """Of the time in which Drupal's answer has to be there."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._over_at = time.monotonic() + seconds

    def to_ask(self) -> float:
        """Seconds that Drupal can have.

        Raises:
            UpstreamTimeoutError: too few; Drupal is better asked another time.
        """
        left = self._over_at - time.monotonic()
        if left < self._seconds * ASK_SHARE_MIN:
            raise UpstreamTimeoutError({"waited_for": "preparation"}, sent=False)
        return left


def _count(outcome: RefreshOutcome, watch: stopwatch.Stopwatch) -> None:
    ended = outcome.value
    metrics.count(MetricName.UPSTREAM_REFRESHES, outcome=ended)
    metrics.duration(MetricName.UPSTREAM_REFRESH_DURATION, watch.total_milliseconds, outcome=ended)
    metrics.duration(
        MetricName.UPSTREAM_REFRESH_OWN_DURATION, watch.own_milliseconds, outcome=ended
    )


def _back_off_seconds() -> float:
    """With jitter: grants that failed together are not tried together again."""
    return _random.uniform(BACK_OFF_SECONDS_MIN, BACK_OFF_SECONDS_MAX)


async def _back_off_in(tx: Transaction, grant: Grant, attempt_id: UUID) -> None:
    await grants.back_off(tx, grant_id=grant.grant_id, seconds=_back_off_seconds())
    await grants.release(tx, grant_id=grant.grant_id, lease_owner=attempt_id)


async def _audit(tx: Transaction, action: AuditAction, grant: Grant) -> None:
    await audit_events.append(
        tx, action, user_id=grant.user_id, grant_id=grant.grant_id, client_id=grant.client_id
    )


async def _end_in(tx: Transaction, grant: Grant, cause: EndCause) -> None:
    await end_grant(
        tx,
        grant_id=grant.grant_id,
        cause=cause,
        user_id=grant.user_id,
        client_id=grant.client_id,
    )


async def _to_the_end(exchange: Coroutine[Any, Any, T]) -> T:
    """Run ``exchange`` to its end even if the caller is cancelled: it may hold the only pair."""
    task = asyncio.create_task(exchange)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait({task}, timeout=REFRESH_LEASE_SECONDS)
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that it is not reported as forgotten
        raise
