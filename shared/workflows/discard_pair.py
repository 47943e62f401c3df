"""A pair of Drupal's that nobody needs: put on a list first, burnt at once if that can be done.

What could not be burnt at once is burnt by the cleanup; a pair leaves the list only once it was.
"""

from collections.abc import Callable
from typing import Protocol
from uuid import UUID

from shared.domain.grants import SealedPair, UpstreamPair
from shared.domain.identifiers import UserId
from shared.errors.base import ServiceError
from shared.observability.logging import log
from shared.state import discarded_pairs
from shared.state.database import Database
from shared.state.discarded_pairs import DiscardedPair
from shared.vault.pair_codec import decode_pair, encode_pair
from shared.vault.token_vault import SealBinding, TokenVault
from shared.workflows.drain_outbox import (
    BATCH_MAX,
    BURN_SECONDS_MAX,
    BURN_TIMEOUT_SECONDS,
    PUSH_SECONDS,
    DrainResult,
    back_off_seconds,
)

FIRST_GENERATION = 1


class PairSealer(Protocol):
    """Seals pairs."""

    async def seal(self, plain: bytes, *, user_salt: bytes, binding: SealBinding) -> SealedPair:
        """Encrypt ``plain`` so that only this row of this person opens it."""


class PairBurner(Protocol):
    """Drupal's OAuth server, as far as burning goes."""

    async def burn(self, pair: UpstreamPair, *, timeout_seconds: float) -> None:
        """Make a pair useless that nobody will hold."""


def _binding(pair_id: UUID, user_id: UserId) -> SealBinding:
    return SealBinding(
        table="discarded_pairs",
        row_id=pair_id,
        user_id=user_id,
        column="pair_ciphertext",
        generation=FIRST_GENERATION,
    )


async def seal_discarded(
    vault: PairSealer, pair: UpstreamPair, *, pair_id: UUID, user_id: UserId, user_salt: bytes
) -> SealedPair:
    """``pair`` sealed for the list; call it outside of any transaction."""
    binding = _binding(pair_id, user_id)
    return await vault.seal(encode_pair(pair), user_salt=user_salt, binding=binding)


async def burn_listed(
    database: Database,
    oauth: PairBurner,
    pair: UpstreamPair,
    *,
    pair_id: UUID,
    timeout_seconds: float,
) -> bool:
    """Burn a pair that is on the list, and take it off; False leaves it to the cleanup.

    ``timeout_seconds`` bounds each of the two exchanges with Drupal.
    """
    try:
        await oauth.burn(pair, timeout_seconds=timeout_seconds)
        async with database.autocommit() as tx:
            await discarded_pairs.forget(tx, pair_id)
    except ServiceError as error:
        log.warning("discarded upstream pair left to the cleanup", error=error)
        return False
    return True


class DiscardedPairDrainer:
    """Works off the list of discarded pairs."""

    def __init__(self, database: Database, vault: TokenVault, oauth: PairBurner) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth

    async def drain(self, *, seconds_left: Callable[[], float]) -> DrainResult:
        """Burn pairs until none is due, time is short, or one fails: Drupal is away then."""
        result = DrainResult()
        while seconds_left() > BURN_SECONDS_MAX:
            async with self._database.autocommit() as tx:
                due = await discarded_pairs.due(tx, limit=BATCH_MAX, push_seconds=PUSH_SECONDS)
            for found in due:
                if seconds_left() <= BURN_SECONDS_MAX or result.postponed:
                    return result
                burnt = await self._burn(found)
                result.burnt += burnt
                result.postponed += not burnt
            if len(due) < BATCH_MAX or result.postponed:
                break
        return result

    async def _burn(self, found: DiscardedPair) -> bool:
        binding = _binding(found.pair_id, found.user_id)
        try:
            plain = await self._vault.open(found.pair, user_salt=found.user_salt, binding=binding)
            await self._oauth.burn(decode_pair(plain), timeout_seconds=BURN_TIMEOUT_SECONDS)
        except ServiceError as error:
            log.warning("burning of a discarded pair postponed", error=error, tries=found.tries)
            async with self._database.autocommit() as tx:
                await discarded_pairs.postpone(
                    tx, pair_id=found.pair_id, seconds=back_off_seconds(found.tries)
                )
            return False
        async with self._database.autocommit() as tx:
            await discarded_pairs.forget(tx, found.pair_id)
        return True
