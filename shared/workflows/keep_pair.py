"""Keeps a pair that Drupal has just issued: it is the only live one of its grant.

Sealed first, committed next; where the commit fails or tarries, put sealed into a second store as
well. Nothing but the end of the invocation makes it give up.
"""

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.domain.grants import Grant, GrantStatus, SealedPair, UpstreamPair
from shared.domain.refresh_times import STORE_ACKNOWLEDGED_SECONDS
from shared.domain.sessions import RESPONSIBLE, Responsible
from shared.domain.spilled_pairs import SpilledPair
from shared.errors.base import UnavailableError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import remaining_seconds
from shared.state import audit_events, grants, refresh_attempts, revived_grants
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction
from shared.state.revived_grants import Revived
from shared.vault.token_vault import TokenVault
from shared.workflows.safety_nets import PairSpill
from shared.workflows.sealed_pairs import refresh_after_seconds, seal_next_pair

STORE_SECONDS_MAX = 30.0
"""So long a database that is away is asked again to take the only live pair: a failover's time."""
SPILLED_STORE_SECONDS_MAX = 4.0
"""And so long where the second store has the pair: whoever comes next finds it there."""
STORE_MARGIN_SECONDS = 2.0
"""Left of the invocation when that is given up."""
STORE_RETRY_SECONDS = 0.1
STORE_RETRY_SECONDS_MAX = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedPair:
    """A pair in the open, the grant that it is for as it was claimed, and when it came."""

    grant: Grant
    attempt_id: UUID
    pair: UpstreamPair
    received_at: datetime
    """Database time."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """What became of a pair."""

    stored: bool = False
    """By this worker, or by another one before it."""
    fenced_off: bool = False
    """Not by this one, or not in this try."""
    unwanted: bool = False
    """The grant has ended for good."""


class PairKeeper:
    """Stores one received pair after the other, each as the next generation of its grant."""

    def __init__(self, database: Database, vault: TokenVault, spill: PairSpill | None) -> None:
        self._database = database
        self._vault = vault
        self._spill = spill

    async def keep(self, received: ReceivedPair) -> Kept:
        """Store the pair; neither stored nor unwanted where the database stayed away."""
        patience = _Patience(STORE_SECONDS_MAX)
        sealed = await self._sealed(received, patience)
        if sealed is None:
            return Kept()
        failed = asyncio.Event()
        storing = asyncio.create_task(self._store_patiently(received, sealed, patience, failed))
        trouble = asyncio.create_task(failed.wait())
        await asyncio.wait(
            {storing, trouble},
            timeout=STORE_ACKNOWLEDGED_SECONDS,
            return_when=asyncio.FIRST_COMPLETED,
        )
        trouble.cancel()
        spilled = not storing.done() and await self._spilled(received, sealed)
        if spilled:
            patience.shorten(SPILLED_STORE_SECONDS_MAX)
        kept = await storing
        if not (kept.stored or kept.unwanted or spilled):
            # Stopped or short of time, it may have given up at the first failure.
            await self._spilled(received, sealed)
        return kept

    async def _sealed(self, received: ReceivedPair, patience: "_Patience") -> SealedPair | None:
        while True:
            try:
                return await seal_next_pair(self._vault, received.grant, received.pair)
            except UnavailableError as error:
                log.warning("refreshed pair not sealed yet", error=error)
            if not await patience.pause():
                return None

    async def _store_patiently(
        self,
        received: ReceivedPair,
        sealed: SealedPair,
        patience: "_Patience",
        failed: asyncio.Event,
    ) -> Kept:
        while True:
            try:
                return await self._store(received, sealed)
            except UnavailableError as error:
                log.warning("refreshed pair not stored yet", error=error)
            failed.set()
            if not await patience.pause():
                grant_id = str(received.grant.grant_id)
                log.error("refreshed pair could not be stored", grant_id=grant_id)
                return Kept()

    async def _store(self, received: ReceivedPair, sealed: SealedPair) -> Kept:
        life_seconds = received.pair.life_seconds
        async with self._database.transaction() as tx:
            kept = await store_or_revive(
                tx,
                received.grant,
                sealed,
                life_seconds=life_seconds,
                refresh_after=refresh_after_seconds(life_seconds),
            )
            outcome = "stored" if kept.stored and not kept.fenced_off else "fenced_off"
            await refresh_attempts.finish(tx, attempt_id=received.attempt_id, outcome=outcome)
        return kept

    async def _spilled(self, received: ReceivedPair, sealed: SealedPair) -> bool:
        if self._spill is None:
            return False
        spilled = SpilledPair(
            grant_id=received.grant.grant_id,
            pair_generation=received.grant.pair_generation + 1,
            pair=sealed,
            life_seconds=received.pair.life_seconds,
            received_at=received.received_at,
        )
        try:
            await self._spill.put(spilled)
        except UnavailableError as error:
            log.error("refreshed pair not spilled", error=error)
            return False
        return True


async def store_or_revive(
    tx: Transaction,
    grant: Grant,
    sealed: SealedPair,
    *,
    life_seconds: int,
    refresh_after: float | None,
    recovered: bool = False,
) -> Kept:
    """Store ``sealed`` as the generation after ``grant``'s, with its audit event.

    Zero rows updated is an answer: the generation has moved on, or the grant has ended; an end
    for want of a living pair is taken back. ``recovered`` pairs come from the second store.
    """
    stored = await grants.store_pair(
        tx,
        grant_id=grant.grant_id,
        pair_generation=grant.pair_generation,
        pair=sealed,
        life_seconds=life_seconds,
        refresh_after_seconds=refresh_after,
    )
    action = AuditAction.UPSTREAM_REFRESHED
    revived = None
    if not stored:
        revived = await revived_grants.revive(
            tx,
            grant_id=grant.grant_id,
            pair_generation=grant.pair_generation,
            pair=sealed,
            life_seconds=life_seconds,
            refresh_after_seconds=refresh_after,
        )
        action = AuditAction.GRANT_REVIVED
    if not stored and revived is None:
        current = await grants.find(tx, grant.grant_id)
        # Where it lives on, an earlier try was committed after all, or another worker has stored
        # the pair: Drupal lets one live at a time, and the row's is the later one.
        gone = current is None or current.status is GrantStatus.ENDED
        return Kept(unwanted=gone, stored=not gone, fenced_off=True)
    if revived is not None:
        _count(revived)
        log.warning("grant revived", grant_id=str(grant.grant_id))
    await audit_events.append(
        tx,
        action,
        user_id=grant.user_id,
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        details={"recovered": True} if recovered else None,
    )
    return Kept(stored=True)


def _count(revived: Revived) -> None:
    """The end was none: the site had not taken the grant back, whoever said so."""
    metrics.count(MetricName.GRANTS_REVIVED)
    if revived.sessions and RESPONSIBLE[revived.ended_cause] is not Responsible.US:
        metrics.count(
            MetricName.INVOLUNTARY_SIGN_OUTS,
            revived.sessions,
            client_family=revived.client_family,
        )


class _Patience:
    """How long a store that is away is asked again, with growing pauses."""

    def __init__(self, seconds: float) -> None:
        bounded = min(seconds, remaining_seconds() - STORE_MARGIN_SECONDS)
        self._over_at = time.monotonic() + bounded
        self._pause_seconds = STORE_RETRY_SECONDS

    def shorten(self, seconds: float) -> None:
        """From now on it is ``seconds`` at most."""
        self._over_at = min(self._over_at, time.monotonic() + seconds)

    async def pause(self) -> bool:
        """Wait before the next try; False if there is to be none."""
        if time.monotonic() + self._pause_seconds >= self._over_at:
            return False
        await asyncio.sleep(self._pause_seconds)
        self._pause_seconds = min(2 * self._pause_seconds, STORE_RETRY_SECONDS_MAX)
        return True
