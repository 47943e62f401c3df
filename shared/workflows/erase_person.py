"""Erases a person: first the name and the access, at last the salt.

Drupal can be told to revoke a pair only while the pair can be opened, so the salt goes when the
outbox is empty, or when the wait for that is over. The request itself is one transaction.
"""

from typing import Final

from shared.domain.identifiers import UserId
from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import audit_events, erasures
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction
from shared.state.erasures import OpenGrant
from shared.workflows.end_grant import end_grant

SETTLE_SECONDS: Final = 120.0
"""Longer than any sign-in takes from reading the salt to storing its grant."""
WAIT_SECONDS_MAX: Final = 3 * 86_400.0
"""So long Drupal may be away; then the salt goes though it was not told everything."""
BATCH_MAX: Final = 100


async def request_erasure(database: Database, user_id: UserId) -> bool:
    """End all that the person gave, and forget who it was; False if that was done before.

    ``PendingErasures`` does the rest.
    """
    async with database.transaction() as tx:
        if not await erasures.begin(tx, user_id):
            return False
        await audit_events.append(tx, AuditAction.PERSON_ERASURE_REQUESTED, user_id=user_id)
        await _end(tx, await erasures.open_grants(tx, limit=BATCH_MAX))
    metrics.count(MetricName.ERASURES, outcome="requested")
    return True


class PendingErasures:
    """Brings erasures to their end; one run does what can be done at the time."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def run(self) -> dict[str, int]:
        """How many people were erased, and how many wait."""
        async with self._database.transaction() as tx:
            await _end(tx, await erasures.open_grants(tx, limit=BATCH_MAX))
        async with self._database.autocommit() as tx:
            ready = await erasures.ready(
                tx,
                settle_seconds=SETTLE_SECONDS,
                wait_seconds=WAIT_SECONDS_MAX,
                limit=BATCH_MAX,
            )
        erased = 0
        for person in ready:
            erased += await self._finish(person.user_id, told=person.told)
        async with self._database.autocommit() as tx:
            pending = await erasures.count_pending(tx)
        return {"people_erased": erased, "erasures_pending": pending}

    async def _finish(self, user_id: UserId, *, told: bool) -> bool:
        async with self._database.transaction() as tx:
            if not await erasures.finish(tx, user_id):
                return False
            await audit_events.append(
                tx, AuditAction.PERSON_ERASED, user_id=user_id, details={"drupal_told": told}
            )
        metrics.count(MetricName.ERASURES, outcome="told" if told else "not_told")
        if not told:
            log.error("person erased without Drupal having been told", user_id=str(user_id))
        return True


async def _end(tx: Transaction, open_grants: list[OpenGrant]) -> None:
    for grant in open_grants:
        await end_grant(
            tx,
            grant_id=grant.grant_id,
            cause=EndCause.ERASED,
            user_id=grant.user_id,
            client_id=grant.client_id,
        )
