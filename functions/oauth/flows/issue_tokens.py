"""The token endpoint: dispatch, and the authorization code grant (OAuth 2.1 section 4.1.3).

A code is taken by one atomic statement and stays used whatever is wrong with its redemption.
"""

from functools import partial

from functions.oauth.authorization_request import bound_resource
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.issued_tokens import IssuedTokens, mint_tokens
from functions.oauth.flows.known_client import require_client
from functions.oauth.flows.refresh_session import refresh
from functions.oauth.flows.ride_out import ride_out
from functions.oauth.parameters import RESOURCE, Parameters
from functions.oauth.refusals import (
    InvalidGrantError,
    RefusalError,
    UnsupportedGrantTypeError,
)
from shared.domain import pkce
from shared.domain.identifiers import ClientId, SessionId, new_id
from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenKind, has_shape, hash_token
from shared.state import audit_events, authorization_codes, sessions
from shared.state.audit_events import AuditAction
from shared.state.authorization_codes import CodeRecord
from shared.state.database import Transaction
from shared.state.sessions import NewSession
from shared.workflows.end_grant import end_grant


async def issue(dependencies: Dependencies, parameters: Parameters) -> IssuedTokens:
    """Answer a token request.

    Raises:
        RefusalError: with the code of RFC 6749 section 5.2 that says why.
        UnavailableError: the database is away; nobody is signed out for it.
    """
    seconds = dependencies.ride_out_seconds
    match parameters.require("grant_type"):
        case "authorization_code":
            # A repeated redemption would look like a replay and end what it had given.
            return await ride_out(
                partial(_redeem_code, dependencies, parameters), seconds=seconds, repeatable=False
            )
        case "refresh_token":
            return await ride_out(
                partial(refresh, dependencies, parameters), seconds=seconds, repeatable=True
            )
        case _:
            raise UnsupportedGrantTypeError("grant_type")


async def _redeem_code(dependencies: Dependencies, parameters: Parameters) -> IssuedTokens:
    code = parameters.require("code")
    for name in ("client_id", "redirect_uri", "code_verifier"):
        parameters.require(name)
    async with dependencies.database.transaction() as tx:
        client = await require_client(tx, parameters)
        if not has_shape(code, TokenKind.CODE):
            raise InvalidGrantError
        record = await authorization_codes.take(tx, code_hash=hash_token(code))
        if record is None:
            raise InvalidGrantError
        refusal = _fault_of(record, parameters, mcp_url=dependencies.mcp_url)
        if refusal is None:
            return await _open_session(dependencies, tx, record)
        await _record_refusal(tx, record, client_id=client.client_id)
    raise refusal  # outside, so that the code stays used


def _fault_of(record: CodeRecord, parameters: Parameters, *, mcp_url: str) -> RefusalError | None:
    """What is wrong with this redemption; the code is used up either way."""
    bound = (
        not record.replayed
        and not record.expired
        and parameters.get("client_id") == record.client_id
        and parameters.get("redirect_uri") == record.redirect_uri
        and pkce.verifies(parameters.require("code_verifier"), record.code_challenge)
    )
    if not bound:
        return InvalidGrantError()
    try:
        bound_resource(parameters.all(RESOURCE), mcp_url=mcp_url)
    except RefusalError as refusal:
        return refusal
    return None if record.resource == mcp_url else InvalidGrantError()


async def _record_refusal(tx: Transaction, record: CodeRecord, *, client_id: ClientId) -> None:
    """A replay means that a code leaked: what it gave ends (OAuth 2.1 section 4.1.3)."""
    action = AuditAction.CODE_REPLAYED if record.replayed else AuditAction.CODE_REFUSED
    await audit_events.append(tx, action, grant_id=record.grant_id, client_id=client_id)
    if record.replayed:
        await end_grant(tx, grant_id=record.grant_id, cause=EndCause.CODE_REPLAYED)


async def _open_session(
    dependencies: Dependencies, tx: Transaction, record: CodeRecord
) -> IssuedTokens:
    lifetimes = dependencies.lifetimes
    expires_in = min(lifetimes.access_seconds, lifetimes.refresh_absolute_seconds)
    issued = mint_tokens(expires_in=expires_in, scopes=record.scopes)
    session = NewSession(
        session_id=SessionId(new_id()),
        grant_id=record.grant_id,
        client_id=record.client_id,
        resource=record.resource,
        scopes=record.scopes,
    )
    await sessions.open(
        tx,
        session=session,
        access_hash=hash_token(issued.access_token),
        access_seconds=expires_in,
        refresh_hash=hash_token(issued.refresh_token),
        sliding_seconds=lifetimes.refresh_sliding_seconds,
        absolute_seconds=lifetimes.refresh_absolute_seconds,
    )
    await audit_events.append(
        tx,
        AuditAction.CODE_REDEEMED,
        grant_id=record.grant_id,
        session_id=session.session_id,
        client_id=record.client_id,
    )
    return issued
