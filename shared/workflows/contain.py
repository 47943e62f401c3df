"""Contains a client, a person or everybody: what they hold ends, and a client can be blocked.

Every step is one transaction with its audit events in it, and may be repeated: what has ended is
not found again. Drupal is told from the outbox, as for every ended grant.
"""

from collections.abc import AsyncGenerator
from datetime import datetime
from typing import Final

from shared.domain.containments import Held, OneClient, OnePerson, Order, Target
from shared.domain.identifiers import NO_GRANT, ClientId, GrantId
from shared.domain.sessions import EndCause
from shared.state import audit_events, containments
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction
from shared.workflows.end_grant import end_grant

BATCH_GRANTS: Final = 100
BATCH_ROWS: Final = 1_000
BATCH_SECONDS_MAX: Final = 20.0


async def look(database: Database, target: Target, *, until: datetime) -> Held:
    """What there is of a target; changes nothing."""
    async with database.autocommit(timeout_seconds=BATCH_SECONDS_MAX) as tx:
        return await containments.held(tx, target, until=until)


async def block(database: Database, client_id: ClientId, order: Order) -> bool:
    """Block a client from the next request on; False if it is unknown or blocked already."""
    async with database.transaction() as tx:
        done = await containments.block(tx, client_id)
        await _audit_client(tx, AuditAction.CLIENT_BLOCKED, client_id, order, happened=done)
    return done


async def unblock(database: Database, client_id: ClientId, order: Order) -> bool:
    """Take a block back; False if there is none. What has ended stays ended."""
    async with database.transaction() as tx:
        done = await containments.unblock(tx, client_id)
        await _audit_client(tx, AuditAction.CLIENT_UNBLOCKED, client_id, order, happened=done)
    return done


async def contain(
    database: Database, target: Target, order: Order, *, until: datetime
) -> AsyncGenerator[int]:
    """End all of a target that began before ``until``; yields the grants of each batch.

    First what is under way, so that nothing new comes of it, then the grants with their sessions,
    tokens and codes.

    Raises:
        UnavailableError: the database is away; what was yielded is done, the rest can be repeated.
    """
    while await _forget_some(database, target, order, until=until):
        yield 0
    after = NO_GRANT
    while True:
        ended, last = await _end_some(database, target, order, until=until, after=after)
        if last is None:
            return
        after = last
        yield ended


async def _forget_some(
    database: Database, target: Target, order: Order, *, until: datetime
) -> bool:
    """Whether there may be more."""
    async with database.transaction(timeout_seconds=BATCH_SECONDS_MAX) as tx:
        gone = await containments.forget_unfinished(tx, target, until=until, limit=BATCH_ROWS)
        if any(gone.values()):
            await _audit_batch(tx, target, order, gone)
    return max(gone.values()) >= BATCH_ROWS


async def _end_some(
    database: Database, target: Target, order: Order, *, until: datetime, after: GrantId
) -> tuple[int, GrantId | None]:
    """How many ended, and the last one looked at; None when there was none left."""
    async with database.transaction(timeout_seconds=BATCH_SECONDS_MAX) as tx:
        found = await containments.next_grants(
            tx, target, until=until, after=after, limit=BATCH_GRANTS
        )
        if not found:
            return 0, None
        ended = 0
        for grant in found:
            ended += await end_grant(
                tx,
                grant_id=grant.grant_id,
                cause=EndCause.CONTAINED,
                user_id=grant.user_id,
                client_id=grant.client_id,
                details={"containment": str(order.containment_id)},
            )
        await _audit_batch(tx, target, order, {"grants": ended})
    return ended, found[-1].grant_id


async def _audit_batch(
    tx: Transaction, target: Target, order: Order, counts: dict[str, int]
) -> None:
    await audit_events.append(
        tx,
        AuditAction.SESSIONS_CONTAINED,
        user_id=target.user_id if isinstance(target, OnePerson) else None,
        client_id=target.client_id if isinstance(target, OneClient) else None,
        details={**order.details(), **counts},
    )


async def _audit_client(
    tx: Transaction, action: AuditAction, client_id: ClientId, order: Order, *, happened: bool
) -> None:
    await audit_events.append(
        tx, action, client_id=client_id, details=order.details(), happened=happened
    )
