"""MCP calls: the one look-up before a call, and the one row after it.

Never touches a table itself: both go through a database function.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, LiteralString

from shared.domain.circuits import FleetView
from shared.domain.grants import AuthenticatedCall, Grant, GrantStatus, SealedPair
from shared.domain.identifiers import ClientId, GrantId, SessionId, UpstreamSubject, UserId, new_id
from shared.domain.tokens import TokenHash
from shared.state.circuits import view_of
from shared.state.database import Transaction

_AUTHENTICATE: LiteralString = """
    SELECT call.*, app.circuit_view() AS circuits
      FROM app.authenticate_call(%(token_hash)s) AS call
"""

_CLOSE: LiteralString = """
    SELECT app.close_call(%(event_id)s, %(grant_id)s, %(tool)s, %(outcome)s, %(content_id)s,
                          %(result_count)s, %(duration_milliseconds)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What is known of a presented access token, live or not.

    ``call`` is None once the grant's sealed pair is gone. ``now`` is database time.
    """

    now: datetime
    token_expires_at: datetime
    resource: str
    session_id: SessionId
    session_ended: bool
    grant_id: GrantId
    grant_ended: bool
    call: AuthenticatedCall | None
    circuits: FleetView

    @property
    def token_expired(self) -> bool:
        """Whether the token's time is over."""
        return self.now >= self.token_expires_at


async def authenticate(tx: Transaction, token_hash: TokenHash) -> CallRecord | None:
    """All that a request with this access token needs, in one round trip; None if unknown."""
    found = await tx.row(_AUTHENTICATE, {"token_hash": token_hash})
    if found is None:
        return None
    return CallRecord(
        now=found["checked_at"],
        token_expires_at=found["token_expires_at"],
        resource=found["session_resource"],
        session_id=SessionId(found["session_id"]),
        session_ended=found["session_ended_at"] is not None,
        grant_id=GrantId(found["grant_id"]),
        grant_ended=found["grant_status"] == GrantStatus.ENDED,
        call=None if found["pair_ciphertext"] is None else _call(found),
        circuits=view_of(found["circuits"], checked_at=found["checked_at"]),
    )


async def close(
    tx: Transaction,
    *,
    grant_id: GrantId,
    tool: str,
    outcome: str,
    content_id: str | None,
    result_count: int | None,
    duration_milliseconds: int,
) -> None:
    """Write the usage row of an ended call, and that the person was here."""
    await tx.execute(
        _CLOSE,
        {
            "event_id": new_id(),
            "grant_id": grant_id,
            "tool": tool,
            "outcome": outcome,
            "content_id": content_id,
            "result_count": result_count,
            "duration_milliseconds": duration_milliseconds,
        },
    )


def _call(found: dict[str, Any]) -> AuthenticatedCall:
    return AuthenticatedCall(
        session_id=SessionId(found["session_id"]),
        client_id=ClientId(found["session_client_id"]),
        client_name=found["client_name"] or "",
        scopes=tuple(found["session_scopes"]),
        session_expires_at=found["session_expires_at"],
        grant=Grant(
            grant_id=GrantId(found["grant_id"]),
            user_id=UserId(found["user_id"]),
            client_id=ClientId(found["grant_client_id"]),
            subject=UpstreamSubject(found["subject"]),
            user_salt=bytes(found["user_salt"] or b""),
            status=GrantStatus(found["grant_status"]),
            pair=SealedPair(
                ciphertext=bytes(found["pair_ciphertext"]),
                key_generation=found["key_generation"],
            ),
            pair_generation=found["pair_generation"],
            access_expires_at=found["access_expires_at"],
            suspended_until=found["grant_suspended_until"],
        ),
        now=found["checked_at"],
    )
