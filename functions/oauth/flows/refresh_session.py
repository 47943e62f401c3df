"""The refresh token grant (OAuth 2.1 section 4.3): rotation that forgives lost answers.

Needs the database only: neither Drupal nor the key service is asked, so that their outages sign
nobody out.
"""

import json
import math
from datetime import datetime

from functions.oauth.authorization_request import asked_scopes, bound_resource
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.issued_tokens import IssuedTokens, mint_tokens
from functions.oauth.flows.known_client import require_client
from functions.oauth.flows.ride_out import attempt_seconds
from functions.oauth.parameters import RESOURCE, Parameters
from functions.oauth.refusals import InvalidGrantError, InvalidScopeError
from shared.domain.grants import GrantStatus
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.sessions import EndCause, RotationDecision, Session, decide_rotation
from shared.domain.tokens import PlainToken, TokenKind, has_shape, hash_token, mint
from shared.state import audit_events, sessions
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction
from shared.state.sessions import PresentedRefreshToken
from shared.vault.sealed_answers import open_answer, seal_answer
from shared.workflows.end_grant import end_grant

REPLAYED_LIFE_SECONDS_MIN = 60
"""A replayed answer whose access token has less left than this gets a new one."""


async def refresh(dependencies: Dependencies, parameters: Parameters) -> IssuedTokens:
    """Rotate the presented refresh token, or answer again what was answered before.

    Raises:
        RefusalError: with the code of RFC 6749 section 5.2 that says why.
    """
    refresh_token = parameters.require("refresh_token")
    parameters.require("client_id")
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        client = await require_client(dependencies, tx, parameters)
        if not has_shape(refresh_token, TokenKind.REFRESH):
            raise InvalidGrantError
        token = PlainToken(refresh_token)
        presented = await sessions.lock_refresh_token(tx, hash_token(token))
        if presented is None or presented.session.client_id != client.client_id:
            raise InvalidGrantError
        _check_bounds(presented.session, parameters, mcp_url=dependencies.mcp_url)
        decision = decide_rotation(presented.session, presented.state, now=presented.now)
        if presented.grant_status is GrantStatus.ENDED:
            decision = RotationDecision.REFUSE
        if decision is RotationDecision.ROTATE:
            return await _rotate(dependencies, tx, presented, token)
        if decision is RotationDecision.REPLAY:
            return await _replay(dependencies, tx, presented, token)
        if decision is RotationDecision.END_FAMILY:
            await _end_family(tx, presented.session)
    raise InvalidGrantError  # outside, so that the family stays ended


def _check_bounds(session: Session, parameters: Parameters, *, mcp_url: str) -> None:
    """Neither another resource nor more scope than was given; omitted means as before.

    A narrower scope is accepted and answered with the session's own (RFC 6749 section 3.3): the
    answer's ``scope`` says what the token can do.
    """
    if bound_resource(parameters.all(RESOURCE), mcp_url=mcp_url) != session.resource:
        raise InvalidGrantError
    wider = (set(asked_scopes(parameters)) & set(SCOPES_OFFERED)) - set(session.scopes)
    if wider:
        raise InvalidScopeError("scope")


async def _rotate(
    dependencies: Dependencies,
    tx: Transaction,
    presented: PresentedRefreshToken,
    token: PlainToken,
) -> IssuedTokens:
    session = presented.session
    seconds = _access_seconds(dependencies, presented)
    issued = mint_tokens(expires_in=seconds, scopes=session.scopes)
    await sessions.rotate(
        tx,
        session_id=session.session_id,
        presented_hash=hash_token(token),
        successor_sealed=seal_answer(
            _encode(issued, issued_at=presented.now), presented_token=token
        ),
        access_hash=hash_token(issued.access_token),
        access_seconds=seconds,
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
    return issued


async def _replay(
    dependencies: Dependencies,
    tx: Transaction,
    presented: PresentedRefreshToken,
    token: PlainToken,
) -> IssuedTokens:
    """The same answer again, for a client that lost it or refreshes from two places at once."""
    session = presented.session
    sealed = presented.successor_sealed
    if sealed is None:
        raise InvalidGrantError
    answer = json.loads(open_answer(sealed, presented_token=token))
    age_seconds = presented.now.timestamp() - answer["issued_at"]
    # Rounded up, and never more than was said first: an answer that is given twice in the same
    # moment says the same both times, and a waiter's transaction may have begun before.
    left_seconds = min(answer["expires_in"], math.ceil(answer["expires_in"] - age_seconds))
    access_token = PlainToken(answer["access_token"])
    if left_seconds < REPLAYED_LIFE_SECONDS_MIN:
        access_token = mint(TokenKind.ACCESS)
        left_seconds = _access_seconds(dependencies, presented)
        await sessions.add_access_token(
            tx,
            session_id=session.session_id,
            token_hash=hash_token(access_token),
            seconds=left_seconds,
        )
    return IssuedTokens(
        access_token=access_token,
        refresh_token=PlainToken(answer["refresh_token"]),
        expires_in=left_seconds,
        scopes=session.scopes,
    )


async def _end_family(tx: Transaction, session: Session) -> None:
    """Two parties hold one token: neither keeps anything (OAuth 2.1 section 4.3.1)."""
    await audit_events.append(
        tx,
        AuditAction.REFRESH_TOKEN_REUSED,
        grant_id=session.grant_id,
        session_id=session.session_id,
        client_id=session.client_id,
    )
    await end_grant(tx, grant_id=session.grant_id, cause=EndCause.REFRESH_TOKEN_REUSED)


def _access_seconds(dependencies: Dependencies, presented: PresentedRefreshToken) -> int:
    """Life of a new access token; it never outlives its session."""
    left = (presented.session.absolute_expires_at - presented.now).total_seconds()
    return max(1, min(dependencies.lifetimes.access_seconds, int(left)))


def _encode(issued: IssuedTokens, *, issued_at: datetime) -> bytes:
    answer = {
        "access_token": issued.access_token,
        "refresh_token": issued.refresh_token,
        "expires_in": issued.expires_in,
        "issued_at": issued_at.timestamp(),
    }
    return json.dumps(answer).encode()
