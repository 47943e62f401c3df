"""Sees to the pairs in the second store that nobody has come for.

Whoever refreshes a grant in doubt finds its pair there. But a pair can be spilled later than that:
by a worker that comes to itself when the grant has ended already, or while Postgres was away. It
is stored where its grant lives, revives it where it ended for want of this pair, and is burnt
where the end is for good. Never taken out of the second store before the database has it.
"""

from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from shared.domain.grants import Grant, UpstreamPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.spilled_pairs import SpilledPair, SpillPage
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import discarded_pairs, spilled_grants
from shared.state.database import Database
from shared.state.spilled_grants import SpillOwner
from shared.vault.token_vault import SealedTokenRefusedError, TokenVault
from shared.workflows.discard_pair import seal_discarded
from shared.workflows.recover_pair import store_spilled
from shared.workflows.sealed_pairs import open_pair

PAGE_MAX = 50
SETTLE_SECONDS_MAX = 10.0
"""Left when one is begun: a few short exchanges with the stores and the key service."""


class SpilledPairStore(Protocol):
    """The second store, as far as emptying it goes."""

    async def page(self, *, cursor: object | None, limit: int) -> SpillPage:
        """Up to ``limit`` pairs, from ``cursor`` on."""

    async def get(self, grant_id: GrantId, pair_generation: int) -> SpilledPair | None:
        """The pair that the grant is to get as ``pair_generation``, or None."""

    async def forget(self, spilled: SpilledPair) -> None:
        """Take this very pair out; a later one for the same place stays."""


class Settled(StrEnum):
    """What became of a spilled pair."""

    RECOVERED = "recovered"
    """Its grant has it, and lives."""
    DISCARDED = "discarded"
    """The grant has ended for good: it is on the list of what is burnt at Drupal."""
    SUPERSEDED = "superseded"
    """The grant has it, or a later one, or is forgotten."""
    LEFT = "left"
    """It cannot be opened, or is not the grant's next one; its time in the store runs out."""


class SpilledPairs:
    """Empties the second store."""

    def __init__(
        self,
        database: Database,
        vault: TokenVault,
        store: SpilledPairStore,
        *,
        seconds_left: Callable[[], float],
    ) -> None:
        self._database = database
        self._vault = vault
        self._store = store
        self._seconds_left = seconds_left

    async def run(self) -> dict[str, int]:
        """Settle all that is there, as far as the time goes; how many in which way.

        Raises:
            UnavailableError: a store or the key service is away; nothing is lost.
        """
        counts = {f"spilled_{settled.value}": 0 for settled in Settled}
        cursor: object | None = None
        while self._seconds_left() > SETTLE_SECONDS_MAX:
            page = await self._store.page(cursor=cursor, limit=PAGE_MAX)
            for spilled in page.pairs:
                if self._seconds_left() <= SETTLE_SECONDS_MAX:
                    return counts
                counts[f"spilled_{(await self.settle(spilled)).value}"] += 1
            cursor = page.cursor
            if cursor is None:
                break
        return counts

    async def turned_up(self, grant: Grant) -> bool:
        """Whether a later pair of this ended grant lay in the store and has revived it.

        Raises:
            UnavailableError: nobody knows, for the moment.
        """
        spilled = await self._store.get(grant.grant_id, grant.pair_generation + 1)
        return spilled is not None and await self.settle(spilled) is Settled.RECOVERED

    async def settle(self, spilled: SpilledPair) -> Settled:
        """Bring one pair to where it belongs, and take it out of the store then."""
        async with self._database.autocommit() as tx:
            owner = await spilled_grants.owner(tx, spilled)
        settled = await self._settled(spilled, owner)
        if settled is not Settled.LEFT:
            await self._store.forget(spilled)
        metrics.count(MetricName.SPILLED_PAIRS_SETTLED, outcome=settled.value)
        log.warning("spilled pair settled", grant_id=str(spilled.grant_id), outcome=settled.value)
        return settled

    async def _settled(self, spilled: SpilledPair, owner: SpillOwner | None) -> Settled:
        if owner is None or owner.stored_generation >= spilled.pair_generation:
            return Settled.SUPERSEDED
        if owner.stored_generation != spilled.pair_generation - 1:
            log.error("spilled pair is far ahead of its grant", grant_id=str(spilled.grant_id))
            return Settled.LEFT
        try:
            pair = await open_pair(self._vault, owner.grant)
        except SealedTokenRefusedError as error:
            log.error("spilled pair does not open", error=error, grant_id=str(spilled.grant_id))
            return Settled.LEFT
        return await self._stored_or_discarded(spilled, owner, pair)

    async def _stored_or_discarded(
        self, spilled: SpilledPair, owner: SpillOwner, pair: UpstreamPair
    ) -> Settled:
        pair_id, grant = new_id(), owner.grant
        # Ahead of the transaction, though it is rarely needed: the vault may want its connection.
        discarded = await seal_discarded(
            self._vault,
            pair,
            pair_id=pair_id,
            user_id=grant.user_id,
            user_salt=grant.user_salt,
        )
        before = replace(grant, pair_generation=owner.stored_generation)
        async with self._database.transaction() as tx:
            kept = await store_spilled(tx, before, spilled, now=owner.now)
            if kept.stored:
                return Settled.RECOVERED
            await discarded_pairs.add(
                tx, pair_id=pair_id, user_id=grant.user_id, pair=discarded, seconds=0
            )
        return Settled.DISCARDED
