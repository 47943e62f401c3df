"""Looks for a pair in the second store that its worker could not store, and stores it.

Whoever finds an attempt in doubt looks there first: before Drupal is asked again, and before its
refusal is believed.
"""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from shared.domain.grants import Grant
from shared.domain.spilled_pairs import SpilledPair
from shared.errors.base import UnavailableError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import refresh_attempts
from shared.state.database import Database, Transaction
from shared.vault.token_vault import SealedTokenRefusedError, TokenVault
from shared.workflows.keep_pair import Kept, store_or_revive
from shared.workflows.safety_nets import PairSpill
from shared.workflows.sealed_pairs import open_pair, refresh_after_seconds


class Recovery(StrEnum):
    """What the second store had."""

    STORED = "stored"
    """The pair; the grant has it now."""
    NOTHING = "nothing"
    UNKNOWN = "unknown"
    """The store is away: nobody knows whether there is a pair."""


class PairRecovery:
    """Brings pairs back from the second store."""

    def __init__(self, database: Database, vault: TokenVault, spill: PairSpill | None) -> None:
        self._database = database
        self._vault = vault
        self._spill = spill

    async def recover(self, grant: Grant, *, now: datetime, attempt_id: UUID) -> Recovery:
        """Give ``grant`` the pair of its next generation; ``now`` is database time.

        Raises:
            DatabaseUnavailableError, KeyServiceUnavailableError: there may be one, another time.
        """
        if self._spill is None:
            return Recovery.NOTHING
        try:
            spilled = await self._spill.get(grant.grant_id, grant.pair_generation + 1)
        except UnavailableError as error:
            log.warning("second store not asked", error=error)
            return Recovery.UNKNOWN
        if spilled is None or not await self._opens(grant, spilled):
            return Recovery.NOTHING
        async with self._database.transaction() as tx:
            kept = await store_spilled(tx, grant, spilled, now=now)
            await refresh_attempts.finish(tx, attempt_id=attempt_id, outcome="recovered")
        log.warning("refreshed pair recovered", grant_id=str(grant.grant_id))
        return Recovery.STORED if kept.stored else Recovery.NOTHING

    async def _opens(self, grant: Grant, spilled: SpilledPair) -> bool:
        """Whether it is this grant's pair: the row never gets what nobody can open."""
        try:
            await open_pair(
                self._vault,
                replace(grant, pair=spilled.pair, pair_generation=spilled.pair_generation),
            )
        except SealedTokenRefusedError as error:
            log.error("spilled pair does not open", error=error, grant_id=str(grant.grant_id))
            return False
        return True


async def store_spilled(
    tx: Transaction, grant: Grant, spilled: SpilledPair, *, now: datetime
) -> Kept:
    """Store a pair that has opened, as the generation after ``grant``'s; its life began earlier."""
    age_seconds = max(0.0, (now - spilled.received_at).total_seconds())
    after = refresh_after_seconds(spilled.life_seconds)
    kept = await store_or_revive(
        tx,
        grant,
        spilled.pair,
        life_seconds=max(0, int(spilled.life_seconds - age_seconds)),
        refresh_after=None if after is None else max(0.0, after - age_seconds),
        recovered=True,
    )
    if kept.stored:
        metrics.count(MetricName.PAIRS_RECOVERED)
    return kept
