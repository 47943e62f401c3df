"""The refresh token grant (OAuth 2.1 section 4.3): rotation that forgives lost answers.

Needs the database only: neither Drupal nor the key service is asked, so that their outages sign
nobody out.
"""

import json
import math
from dataclasses import replace
from datetime import datetime

from functions.oauth.allowances import take
from functions.oauth.authorization_request import asked_scopes, bound_resource
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.issued_tokens import IssuedTokens, mint_tokens
from functions.oauth.flows.known_client import require_client
from functions.oauth.flows.ride_out import attempt_seconds
from functions.oauth.parameters import RESOURCE, Parameters
from functions.oauth.refusals import InvalidGrantError, InvalidScopeError
from shared.domain.grants import GrantStatus
from shared.domain.identifiers import NO_GRANT, ClientId
from shared.domain.rate_limits import LimitName
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.sessions import EndCause, RotationDecision, Session, decide_rotation
from shared.domain.tokens import PlainToken, TokenKind, has_shape, hash_token, mint
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, sessions
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction
from shared.state.sessions import NewAccessToken, PresentedRefreshToken
from shared.vault.sealed_answers import open_answer, seal_answer
from shared.workflows.end_grant import end_grant

REPLAYED_LIFE_SECONDS_MIN = 60
"""A replayed answer whose access token has less left than this gets a new one."""


async def refresh(dependencies: Dependencies, parameters: Parameters) -> IssuedTokens:
    """Rotate the presented refresh token, or answer again what was answered before.

    Raises:
        RefusalError: with the code of RFC 6749 section 5.2 that says why.
        TooManyRequestsError: this session was refreshed too often.
    """
    refresh_token = parameters.require("refresh_token")
    parameters.require("client_id")
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        client = await require_client(dependencies, tx, parameters)
        if not has_shape(refresh_token, TokenKind.REFRESH):
            raise InvalidGrantError
        token = PlainToken(refresh_token)
        presented = await sessions.lock_refresh_token(tx, hash_token(token))
        decision = _decide(presented, client.client_id)
        if presented is not None and decision is RotationDecision.ROTATE:
            return await _rotate(dependencies, tx, presented, token=token, asked=parameters)
        if presented is not None and decision is RotationDecision.REPLAY:
            return await _replay(dependencies, tx, presented, token=token, asked=parameters)
        reused = presented is not None and decision is RotationDecision.END_FAMILY
        await _refuse(tx, presented.session if presented is not None and reused else None)
    raise InvalidGrantError  # outside, so that the family stays ended


def _decide(presented: PresentedRefreshToken | None, client_id: ClientId) -> RotationDecision:
    """The rule of rotation, for a token of this client whose grant lives; all others are refused.

    What else is asked for comes afterwards: a reused token ends its family whatever it asks.
    """
    if presented is None or presented.session.client_id != client_id:
        return RotationDecision.REFUSE
    if presented.grant_status is GrantStatus.ENDED:
        return RotationDecision.REFUSE
    return decide_rotation(presented.session, presented.state, now=presented.now)


def _asked_within(session: Session, parameters: Parameters, *, mcp_url: str) -> tuple[str, ...]:
    """The scopes of the new access token: all of the session's, or fewer if fewer were asked.

    What is omitted, resource or scope, is inherited. The refresh token keeps what was granted
    (RFC 6749 section 6).

    Raises:
        InvalidTargetError: another resource (RFC 8707 section 2.2).
        InvalidScopeError: more than was granted.
    """
    if bound_resource(parameters.all(RESOURCE), mcp_url=mcp_url) != session.resource:
        raise InvalidGrantError
    asked = set(asked_scopes(parameters))
    if (asked & set(SCOPES_OFFERED)) - set(session.scopes):
        raise InvalidScopeError("scope")
    return tuple(scope for scope in session.scopes if scope in asked) or session.scopes


async def _rotate(
    dependencies: Dependencies,
    tx: Transaction,
    presented: PresentedRefreshToken,
    *,
    token: PlainToken,
    asked: Parameters,
) -> IssuedTokens:
    session = presented.session
    await take(tx, LimitName.REFRESHES_BY_SESSION, str(session.session_id))
    scopes = _asked_within(session, asked, mcp_url=dependencies.mcp_url)
    issued = mint_tokens(expires_in=_access_seconds(dependencies, presented), scopes=scopes)
    await sessions.rotate(
        tx,
        session_id=session.session_id,
        presented_hash=hash_token(token),
        successor_sealed=_seal(issued, token=token, issued_at=presented.now),
        access=_stored_access(issued, session),
        refresh_hash=hash_token(issued.refresh_token),
        sliding_seconds=dependencies.lifetimes.refresh_sliding_seconds,
    )
    await audit_events.append(
        tx,
        AuditAction.SESSION_REFRESHED,
        grant_id=session.grant_id,
        session_id=session.session_id,
        client_id=session.client_id,
    )
    metrics.count(MetricName.SESSIONS_CONTINUED)
    return issued


async def _replay(
    dependencies: Dependencies,
    tx: Transaction,
    presented: PresentedRefreshToken,
    *,
    token: PlainToken,
    asked: Parameters,
) -> IssuedTokens:
    """The same answer again, for a client that lost it or refreshes from two places at once.

    Its access token is another one where the first has expired or was for other scopes: never
    does a client get more, or less, than it asks for this time.
    """
    await take(tx, LimitName.REFRESHES_BY_SESSION, str(presented.session.session_id))
    scopes = _asked_within(presented.session, asked, mcp_url=dependencies.mcp_url)
    sealed = presented.successor_sealed
    if sealed is None:
        raise InvalidGrantError
    answer = _unseal(sealed, token=token, presented=presented)
    if answer.expires_in >= REPLAYED_LIFE_SECONDS_MIN and answer.scopes == scopes:
        return answer
    answer = replace(
        answer,
        access_token=mint(TokenKind.ACCESS),
        expires_in=_access_seconds(dependencies, presented),
        scopes=scopes,
    )
    await sessions.answer_anew(
        tx,
        presented_hash=hash_token(token),
        successor_sealed=_seal(answer, token=token, issued_at=presented.now),
        access=_stored_access(answer, presented.session),
    )
    return answer


async def _refuse(tx: Transaction, reused: Session | None) -> None:
    """Two parties hold one token: neither keeps anything (OAuth 2.1 section 4.3.1).

    Unknown, expired and foreign tokens run the same statements and change nothing: what a refusal
    costs tells nobody why it came. Only what was ended by it costs the event that says so.
    """
    await audit_events.append(
        tx,
        AuditAction.REFRESH_TOKEN_REUSED,
        grant_id=None if reused is None else reused.grant_id,
        session_id=None if reused is None else reused.session_id,
        client_id=None if reused is None else reused.client_id,
        happened=reused is not None,
    )
    ending = NO_GRANT if reused is None else reused.grant_id
    await end_grant(tx, grant_id=ending, cause=EndCause.REFRESH_TOKEN_REUSED)


def _access_seconds(dependencies: Dependencies, presented: PresentedRefreshToken) -> int:
    """Life of a new access token; it never outlives its session."""
    left = (presented.session.absolute_expires_at - presented.now).total_seconds()
    return max(1, min(dependencies.lifetimes.access_seconds, int(left)))


def _stored_access(issued: IssuedTokens, session: Session) -> NewAccessToken:
    return NewAccessToken(
        token_hash=hash_token(issued.access_token),
        life_seconds=issued.expires_in,
        scopes=None if issued.scopes == session.scopes else issued.scopes,
    )


def _seal(issued: IssuedTokens, *, token: PlainToken, issued_at: datetime) -> bytes:
    answer = {
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "expires_in": issued.expires_in,
        "scopes": issued.scopes,
        "issued_at": issued_at.timestamp(),
    }
    return seal_answer(json.dumps(answer).encode(), presented_token=token)


def _unseal(sealed: bytes, *, token: PlainToken, presented: PresentedRefreshToken) -> IssuedTokens:
    """The answer as it was given, with what is left of its access token's life."""
    answer = json.loads(open_answer(sealed, presented_token=token))
    age_seconds = presented.now.timestamp() - answer["issued_at"]
    # Rounded up, and never more than was said first: an answer that is given twice in the same
    # moment says the same both times, and a waiter's transaction may have begun before.
    left_seconds = min(answer["expires_in"], math.ceil(answer["expires_in"] - age_seconds))
    return IssuedTokens(
        access_token=PlainToken(answer["access_token"]),
        refresh_token=PlainToken(answer["refresh_token"]),
        expires_in=left_seconds,
        # Answers sealed by an older version have none.
        scopes=tuple(answer.get("scopes", presented.session.scopes)),
    )
