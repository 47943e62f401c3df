"""MCP calls: the one look-up before a call, and the one statement after it.

Never touches a table itself: both go through a database function.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, LiteralString

from psycopg.types.json import Jsonb

from shared.domain.circuits import FleetView
from shared.domain.content import Document, FoundPage
from shared.domain.grants import AuthenticatedCall, Grant, GrantStatus, SealedPair
from shared.domain.identifiers import (
    CallId,
    ClientId,
    GrantId,
    SessionId,
    UpstreamSubject,
    UserId,
    new_id,
)
from shared.domain.rate_limits import RATE_LIMITS, LimitName
from shared.domain.tokens import TokenHash
from shared.domain.usage import Entitlement, Searched
from shared.state.circuits import view_of
from shared.state.database import Transaction

_AUTHENTICATE: LiteralString = """
    SELECT call.*, app.circuit_view() AS circuits
      FROM app.authenticate_call(%(token_hash)s) AS call
"""

# Only who would be let in anyhow takes a slot or a call of the rate.
_ADMIT: LiteralString = """
    SELECT call.*, app.circuit_view() AS circuits, a.refusal, a.wait_seconds
      FROM app.authenticate_call(%(token_hash)s) AS call
      LEFT JOIN LATERAL app.admit_call(
               CASE WHEN call.session_ended_at IS NULL AND call.grant_status <> 'ended'
                     AND call.token_expires_at > call.checked_at
                     AND call.session_resource = %(resource)s
                    THEN call.user_id END,
               %(call_id)s, %(limit_name)s, %(burst)s, %(seconds_each)s,
               %(slots)s, %(lasts_seconds)s) a ON true
"""

_END: LiteralString = "SELECT app.end_call(%(user_id)s, %(call_id)s)"

_CLOSE: LiteralString = """
    SELECT app.close_call(%(event_id)s, %(grant_id)s, %(usage)s, %(chosen_within_seconds)s),
           app.end_call(%(user_id)s, %(call_id)s)
"""


CHOSEN_WITHIN_SECONDS: Final = 1_800.0
"""What is read for so long after a search that found it was chosen from its results."""


TITLE_CHARACTERS_MAX: Final = 300


class CallRefusal(StrEnum):
    """What stands against a call of somebody who may call."""

    RATE = "rate"
    IN_FLIGHT = "in_flight"


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """What a call asks to be let in for: it is counted, and takes one of the person's slots.

    ``resource`` is what its token must have been issued for; after ``lasts_seconds`` the slot is
    free whether or not the call was closed.
    """

    call_id: CallId
    limit: LimitName
    resource: str
    slots: int
    lasts_seconds: float
    limit_factor: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallRecord:
    """What is known of a presented access token, live or not.

    ``call`` is None once the grant's sealed pair is gone. ``now`` is database time. ``refusal``
    says why a call was not let in, and ``wait_seconds`` when its rate allows the next one.
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
    refusal: CallRefusal | None = None
    wait_seconds: float | None = None
    remembered: bool = False
    """Whether this is what was known a moment ago, because Postgres does not answer now."""

    @property
    def token_expired(self) -> bool:
        """Whether the token's time is over."""
        return self.now >= self.token_expires_at


async def authenticate(
    tx: Transaction, token_hash: TokenHash, admission: Admission | None = None
) -> CallRecord | None:
    """All that a request with this access token needs, in one round trip; None if unknown.

    With ``admission`` the call is let in too, or refused.
    """
    found = await _found(tx, token_hash, admission)
    if found is None:
        return None
    refusal = found.get("refusal")
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
        refusal=None if refusal is None else CallRefusal(refusal),
        wait_seconds=found.get("wait_seconds"),
    )


async def _found(
    tx: Transaction, token_hash: TokenHash, admission: Admission | None
) -> dict[str, Any] | None:
    if admission is None:
        return await tx.row(_AUTHENTICATE, {"token_hash": token_hash})
    rate = RATE_LIMITS[admission.limit].enlarged(admission.limit_factor)
    return await tx.row(
        _ADMIT,
        {
            "token_hash": token_hash,
            "resource": admission.resource,
            "call_id": admission.call_id,
            "limit_name": rate.name.value,
            "burst": rate.burst,
            "seconds_each": rate.seconds_each,
            "slots": admission.slots,
            "lasts_seconds": admission.lasts_seconds,
        },
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class UsageRow:
    """What a tool call was; outcome is ``ok`` or an error code."""

    tool: str
    outcome: str
    content_id: str | None
    result_count: int | None
    duration_milliseconds: int
    searched: Searched | None = None
    content_title: str | None = None
    continues: bool = False
    entitlement: Entitlement = Entitlement.UNASKED
    may_read: bool = False
    """Whether the session has the permission to read tutorials."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndedCall:
    """A call that is over: what to write of it, and the slot that it held, if any."""

    user_id: UserId
    grant_id: GrantId
    call_id: CallId | None
    usage: UsageRow | None
    shown: Document | None = None
    """What the site has shown to the person in this call."""
    found: FoundPage | None = None
    """What the site has found for the person in this call."""


async def close(tx: Transaction, ended: EndedCall) -> None:
    """Free the slot of an ended call; write its usage row, and that the person was here."""
    params: dict[str, object] = {"user_id": ended.user_id, "call_id": ended.call_id}
    if ended.usage is None:
        await tx.execute(_END, params)
        return
    params |= {
        "event_id": new_id(),
        "grant_id": ended.grant_id,
        "usage": Jsonb(_noted(ended.usage)),
        "chosen_within_seconds": CHOSEN_WITHIN_SECONDS,
    }
    await tx.execute(_CLOSE, params)


def _noted(usage: UsageRow) -> dict[str, object]:
    """The row as its columns are named."""
    searched = usage.searched
    found = {} if searched is None else _found_by(searched)
    return {
        "tool": usage.tool,
        "outcome": usage.outcome,
        "content_id": usage.content_id,
        "result_count": usage.result_count,
        "duration_milliseconds": usage.duration_milliseconds,
        "content_title": (usage.content_title or "")[:TITLE_CHARACTERS_MAX],
        "continues": usage.continues,
        "entitlement": usage.entitlement.value,
        "may_read": usage.may_read,
        **found,
    }


def _found_by(searched: Searched) -> dict[str, object]:
    return {
        "query": searched.query,
        "first_rank": searched.offset + 1,
        "content_ids": list(searched.content_ids),
    }


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
