"""Tells Drupal about grants that have ended: each one's pair is burnt, then forgotten.

A pair is forgotten only once Drupal was told; until then it is tried again, ever less often.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from shared.domain.grants import Grant, GrantStatus
from shared.errors.base import ServiceError
from shared.observability.logging import log
from shared.state import audit_events, grants, revocation_outbox
from shared.state.audit_events import AuditAction
from shared.state.database import Database
from shared.state.revocation_outbox import PendingRevocation
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.vault.token_vault import TokenVault
from shared.workflows.sealed_pairs import open_pair

BATCH_MAX = 10
BURN_TIMEOUT_SECONDS = 6.0
BURN_SECONDS_MAX = 2 * BURN_TIMEOUT_SECONDS + 2
"""One burning is two exchanges; with less time than this left none is begun."""
PUSH_SECONDS = 120.0
"""Entries taken by one run are nobody else's for this long."""
BACK_OFF_SECONDS_MIN = 60.0
BACK_OFF_SECONDS_MAX = 21_600.0
FAILURES_IN_A_ROW_MAX = 3
"""Drupal is away then: the rest waits for the next run."""
_random = secrets.SystemRandom()


def back_off_seconds(tries: int) -> float:
    """The pause after so many tries, with a jitter; it doubles up to a ceiling."""
    ceiling = min(BACK_OFF_SECONDS_MAX, BACK_OFF_SECONDS_MIN * 2 ** min(tries, 10))
    return _random.uniform(BACK_OFF_SECONDS_MIN, ceiling)


@dataclass(slots=True)
class DrainResult:
    """What became of the entries of one run."""

    burnt: int = 0
    postponed: int = 0


class LatePairs(Protocol):
    """Pairs that were refreshed and came too late for their grant's end."""

    async def turned_up(self, grant: Grant) -> bool:
        """Whether one has and the grant lives again. Raises ``UnavailableError`` if unknown."""


class OutboxDrainer:
    """Works off the revocation outbox."""

    def __init__(
        self,
        database: Database,
        vault: TokenVault,
        oauth: DrupalOAuth,
        *,
        late_pairs: LatePairs | None = None,
    ) -> None:
        self._database = database
        self._vault = vault
        self._oauth = oauth
        self._late_pairs = late_pairs

    async def drain(self, *, seconds_left: Callable[[], float]) -> DrainResult:
        """Burn pairs until none is due, time is short, or Drupal is away."""
        result = DrainResult()
        failures_in_a_row = 0
        while seconds_left() > BURN_SECONDS_MAX:
            async with self._database.autocommit() as tx:
                due = await revocation_outbox.due(tx, limit=BATCH_MAX, push_seconds=PUSH_SECONDS)
            if not due:
                break
            for pending in due:
                if seconds_left() <= BURN_SECONDS_MAX or failures_in_a_row >= FAILURES_IN_A_ROW_MAX:
                    return result
                told = await self._tell(pending)
                failures_in_a_row = 0 if told else failures_in_a_row + 1
                result.burnt += told
                result.postponed += not told
        return result

    async def _tell(self, pending: PendingRevocation) -> bool:
        async with self._database.autocommit() as tx:
            grant = await grants.find(tx, pending.grant_id)
        if grant is not None and grant.status is not GrantStatus.ENDED:
            # Its pair has turned up since: it lives, and nothing of it may be burnt.
            grant = None
        try:
            if grant is not None and await self._revived(grant):
                grant = None
            if grant is not None:
                pair = await open_pair(self._vault, grant)
                await self._oauth.burn(pair, timeout_seconds=BURN_TIMEOUT_SECONDS)
        except ServiceError as error:
            await self._postpone(pending, error)
            return False
        await self._forget(pending, grant)
        return True

    async def _revived(self, grant: Grant) -> bool:
        """Whether its next pair has come in time: burning this one could kill that one, too."""
        return self._late_pairs is not None and await self._late_pairs.turned_up(grant)

    async def _postpone(self, pending: PendingRevocation, error: ServiceError) -> None:
        log.warning("upstream revocation postponed", error=error, tries=pending.tries)
        seconds = back_off_seconds(pending.tries)
        async with self._database.autocommit() as tx:
            await revocation_outbox.postpone(tx, grant_id=pending.grant_id, seconds=seconds)

    async def _forget(self, pending: PendingRevocation, grant: Grant | None) -> None:
        async with self._database.transaction() as tx:
            await grants.forget_pair(tx, pending.grant_id)
            if grant is not None:
                await audit_events.append(
                    tx,
                    AuditAction.GRANT_REVOKED_UPSTREAM,
                    user_id=grant.user_id,
                    grant_id=grant.grant_id,
                    client_id=grant.client_id,
                    details={"tries": pending.tries},
                )
