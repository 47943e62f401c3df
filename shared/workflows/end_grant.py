"""Ends a grant: its sessions with it, the audit event beside it, Drupal told later.

The whole end is one transaction of the caller's; nothing here waits for Drupal.
"""

from collections.abc import Mapping

from shared.domain.identifiers import ClientId, GrantId, SessionId, UserId
from shared.domain.sessions import RESPONSIBLE, EndCause, Responsible
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, grants
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction
from shared.state.grants import Ended


async def end_grant(
    tx: Transaction,
    *,
    grant_id: GrantId,
    cause: EndCause,
    user_id: UserId | None = None,
    client_id: ClientId | None = None,
    session_id: SessionId | None = None,
    details: Mapping[str, str | int | bool] | None = None,
) -> bool:
    """End the grant and its sessions; False if it had ended before, and then nothing happens.

    Its pair goes to the revocation outbox, from which ``OutboxDrainer`` takes it to Drupal.
    """
    ended = await grants.end(tx, grant_id=grant_id, cause=cause)
    if ended is None:
        return False
    await audit_events.append(
        tx,
        AuditAction.GRANT_ENDED,
        user_id=user_id,
        grant_id=grant_id,
        session_id=session_id,
        client_id=client_id,
        details={"cause": cause.value, **(details or {})},
    )
    _count(ended, cause)
    return True


def _count(ended: Ended, cause: EndCause) -> None:
    family = ended.client_family
    metrics.count(MetricName.GRANTS_ENDED, cause=cause.value)
    if ended.sessions == 0:
        return
    metrics.count(
        MetricName.SESSIONS_ENDED, ended.sessions, cause=cause.value, client_family=family
    )
    if RESPONSIBLE[cause] is Responsible.US:
        metrics.count(MetricName.INVOLUNTARY_SIGN_OUTS, ended.sessions, client_family=family)
