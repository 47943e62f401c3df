"""The audit trail: appended in the transaction of the change it reports, never changed.

Rows hold pseudonymous ids and facts; never a name, a token, or text that a person typed. Each is
linked into one of some hash chains by the database, and its place is logged once it is committed:
the log is the witness that whoever can write to the database cannot change.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from shared.domain.identifiers import ClientId, GrantId, SessionId, UserId, new_id
from shared.observability.logging import log
from shared.state.database import Transaction

LINE_MESSAGE: Final = "audit event appended"
"""What the line of every append says; `scripts/audit verify` looks for it."""

_APPEND: LiteralString = """
    SELECT linked.chain, linked.sequence, linked.hash
      FROM app.append_audit_event(%(event_id)s, %(action)s, %(user_id)s, %(grant_id)s,
                                  %(session_id)s, %(client_id)s, %(details)s) AS linked
     WHERE %(happened)s
"""


class AuditAction(StrEnum):
    """What can happen, as ``subject:action``."""

    CLIENT_REGISTERED = "client:registered"
    CLIENT_BLOCKED = "client:blocked"
    CLIENT_UNBLOCKED = "client:unblocked"
    CLIENT_DOCUMENT_READ = "client_document:read"
    CLIENT_DOCUMENT_FAILED = "client_document:failed"
    CONSENT_GIVEN = "consent:given"
    CONSENT_DENIED = "consent:denied"
    SIGN_IN_COMPLETED = "sign_in:completed"
    SIGN_IN_REFUSED = "sign_in:refused"
    CODE_REDEEMED = "code:redeemed"
    CODE_REFUSED = "code:refused"
    CODE_REPLAYED = "code:replayed"
    SESSION_REFRESHED = "session:refreshed"
    SESSION_REVOKED = "session:revoked"
    SESSIONS_CONTAINED = "sessions:contained"
    REFRESH_TOKEN_REUSED = "refresh_token:reused"  # noqa: S105 - names an event
    GRANT_CREATED = "grant:created"
    GRANT_SUSPENDED = "grant:suspended"
    GRANT_RESUMED = "grant:resumed"
    GRANT_ENDED = "grant:ended"
    GRANT_REVIVED = "grant:revived"
    GRANT_REVOKED_UPSTREAM = "grant:revoked_upstream"
    ACCOUNT_SIGNED_IN = "account:signed_in"
    ACCOUNT_SIGN_IN_REFUSED = "account:sign_in_refused"
    ACCOUNT_SIGNED_OUT = "account:signed_out"
    UPSTREAM_REFRESHED = "upstream:refreshed"
    UPSTREAM_REJECTED = "upstream:rejected"
    SEAL_REFUSED = "seal:refused"
    PERSON_ERASURE_REQUESTED = "person:erasure_requested"
    PERSON_ERASED = "person:erased"
    DATA_KEY_MADE = "data_key:made"
    DATA_KEY_REWRAPPED = "data_key:rewrapped"
    DATA_KEY_RETIRED = "data_key:retired"
    CIRCUIT_FORCED = "circuit:forced"
    CIRCUIT_RESET = "circuit:reset"


async def append(
    tx: Transaction,
    action: AuditAction,
    *,
    user_id: UserId | None = None,
    grant_id: GrantId | None = None,
    session_id: SessionId | None = None,
    client_id: ClientId | None = None,
    details: Mapping[str, str | int | bool] | None = None,
    happened: bool = True,
) -> None:
    """Append one event; it stands or falls with the transaction.

    With ``happened`` False the same statement runs and nothing is written: for refusals that
    nobody may tell apart by what they cost.
    """
    linked = await tx.row(
        _APPEND,
        {
            "event_id": new_id(),
            "action": action.value,
            "user_id": user_id,
            "grant_id": grant_id,
            "session_id": session_id,
            "client_id": client_id,
            "details": Jsonb(dict(details or {})),
            "happened": happened,
        },
    )
    if linked is not None:
        tx.after_commit(lambda certain: _tell(linked, certain=certain))


def _tell(linked: Mapping[str, Any], *, certain: bool) -> None:
    """One line with the event's place; ``certain`` False: nobody knows whether it was committed."""
    log.info(
        LINE_MESSAGE,
        audit_chain=linked["chain"],
        audit_sequence=linked["sequence"],
        audit_hash=bytes(linked["hash"]).hex(),
        audit_committed="yes" if certain else "unknown",
    )
