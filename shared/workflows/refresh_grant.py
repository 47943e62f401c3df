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
from enum import StrEnum
from typing import Any, TypeVar
from uuid import UUID

from shared.domain.grants import Grant, GrantStatus, SealedPair, UpstreamPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_DEADLINE_SECONDS,
    REFRESH_LEASE_SECONDS,
)
from shared.domain.sessions import EndCause
from shared.errors.base import ServiceError, UnavailableError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import remaining_seconds
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state import audit_events, grants, refresh_attempts
from shared.state.audit_events import AuditAction
from shared.state.database import Database, DatabaseUnavailableError, Transaction
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.failures import (
    RefreshRejectedError,
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from shared.vault.token_vault import TokenVault
from shared.workflows.end_grant import end_grant
from shared.workflows.safety_nets import NO_NETS, SafetyNets
from shared.workflows.sealed_pairs import open_pair, refresh_after_seconds, seal_next_pair

T = TypeVar("T")

BACK_OFF_SECONDS_MIN = 30.0
BACK_OFF_SECONDS_MAX = 90.0
ASK_SHARE_MIN = 0.5
"""Drupal is asked only while this share of the time is left: its answer has to reach somebody."""
STORE_SECONDS_MAX = 30.0
"""So long a database that is away is asked again to take the only live pair: a failover's time."""
STORE_MARGIN_SECONDS = 2.0
"""Left of the invocation when that is given up."""
STORE_RETRY_SECONDS = 0.1
STORE_RETRY_SECONDS_MAX = 1.0
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
    ) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._nets = nets

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
        """
        started = time.perf_counter()
        outcome = RefreshOutcome.INDETERMINATE
        try:
            with span(SpanName.REFRESH):
                outcome = await self._refresh(grant_id, pair_generation, timeout_seconds)
        finally:
            milliseconds = (time.perf_counter() - started) * 1000
            metrics.count(MetricName.UPSTREAM_REFRESHES, outcome=outcome.value)
            metrics.duration(
                MetricName.UPSTREAM_REFRESH_DURATION, milliseconds, outcome=outcome.value
            )
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
                return RefreshOutcome.NOT_DUE
            await refresh_attempts.begin(
                tx,
                attempt_id=attempt_id,
                grant_id=grant.grant_id,
                pair_generation=grant.pair_generation,
            )
        try:
            pair = await self._oauth.refresh(refresh_token, timeout_seconds=time_left.to_ask())
        except RefreshRejectedError:
            return await self._rejected(grant, attempt_id)
        except UpstreamMisconfiguredError as error:
            await self._not_now(grant, attempt_id, error, in_doubt=False)
            raise
        except UpstreamUnavailableError as error:
            await self._not_now(grant, attempt_id, error, in_doubt=error.sent)
            return RefreshOutcome.INDETERMINATE
        if pair.subject and pair.subject != grant.subject:
            return await self._subject_changed(grant, attempt_id, pair)
        return await self._keep(grant, attempt_id, replace(pair, subject=grant.subject))

    async def _keep(self, grant: Grant, attempt_id: UUID, pair: UpstreamPair) -> RefreshOutcome:
        """Store the only live pair; a database that is away is asked again, to the last moment."""
        seconds = min(STORE_SECONDS_MAX, remaining_seconds() - STORE_MARGIN_SECONDS)
        give_up_at = time.monotonic() + seconds
        pause = STORE_RETRY_SECONDS
        while True:
            try:
                sealed = await seal_next_pair(self._vault, grant, pair)
                stored, current = await self._store(grant, attempt_id, pair=pair, sealed=sealed)
            except UnavailableError as error:
                log.warning("refreshed pair not stored yet", error=error)
            else:
                return RefreshOutcome.REFRESHED if stored else await self._fenced_off(current, pair)
            if time.monotonic() + pause >= give_up_at:
                break
            await asyncio.sleep(pause)
            pause = min(2 * pause, STORE_RETRY_SECONDS_MAX)
        log.error("refreshed pair could not be stored", grant_id=str(grant.grant_id))
        return RefreshOutcome.INDETERMINATE

    async def _store(
        self, grant: Grant, attempt_id: UUID, *, pair: UpstreamPair, sealed: SealedPair
    ) -> tuple[bool, Grant | None]:
        """Whether the pair was stored; if not, the grant as it is now."""
        async with self._database.transaction() as tx:
            stored = await grants.store_pair(
                tx,
                grant_id=grant.grant_id,
                pair_generation=grant.pair_generation,
                pair=sealed,
                life_seconds=pair.life_seconds,
                refresh_after_seconds=refresh_after_seconds(pair.life_seconds),
            )
            current = None if stored else await grants.find(tx, grant.grant_id)
            outcome = "stored" if stored else "fenced_off"
            await refresh_attempts.finish(tx, attempt_id=attempt_id, outcome=outcome)
            if stored:
                await _audit(tx, AuditAction.UPSTREAM_REFRESHED, grant)
        return stored, current

    async def _fenced_off(self, current: Grant | None, pair: UpstreamPair) -> RefreshOutcome:
        """Zero rows updated is an answer: the generation moved on, or the grant is gone."""
        if current is not None and current.status is not GrantStatus.ENDED:
            # Either an earlier try of ours was committed after all, or another worker has stored
            # a pair of its own: Drupal lets one live at a time, and the row's is the later one.
            return RefreshOutcome.REFRESHED
        await self._burn(pair)
        return RefreshOutcome.NOT_DUE

    async def _rejected(self, grant: Grant, attempt_id: UUID) -> RefreshOutcome:
        """Believe a refusal only of a pair that nobody can have replaced meanwhile."""
        async with self._database.transaction() as tx:
            current = await grants.find_locked(tx, grant.grant_id)
            await refresh_attempts.finish(tx, attempt_id=attempt_id, outcome="rejected")
            if current is None or current.status is GrantStatus.ENDED:
                return RefreshOutcome.NOT_DUE
            if current.pair_generation != grant.pair_generation:
                return RefreshOutcome.REFRESHED
            in_doubt = await refresh_attempts.in_doubt(
                tx,
                grant_id=grant.grant_id,
                pair_generation=grant.pair_generation,
                except_attempt_id=attempt_id,
            )
            if in_doubt:
                # Another attempt may hold the new pair and still store it.
                await refresh_attempts.give_up(
                    tx,
                    grant_id=grant.grant_id,
                    pair_generation=grant.pair_generation,
                    older_than_seconds=DOUBT_SECONDS_MAX,
                )
                await grants.back_off(tx, grant_id=grant.grant_id, seconds=_back_off_seconds())
                await grants.release(tx, grant_id=grant.grant_id, lease_owner=attempt_id)
                return RefreshOutcome.INDETERMINATE
            await _audit(tx, AuditAction.UPSTREAM_REJECTED, grant)
            await _end_in(tx, grant, EndCause.REJECTED_UPSTREAM)
        log.warning("upstream rejected a refresh", grant_id=str(grant.grant_id))
        return RefreshOutcome.REJECTED

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
                await grants.back_off(tx, grant_id=grant.grant_id, seconds=_back_off_seconds())
                await grants.release(tx, grant_id=grant.grant_id, lease_owner=attempt_id)
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


def _back_off_seconds() -> float:
    """With jitter: grants that failed together are not tried together again."""
    return _random.uniform(BACK_OFF_SECONDS_MIN, BACK_OFF_SECONDS_MAX)


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
