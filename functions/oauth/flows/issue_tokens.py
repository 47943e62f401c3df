"""The token endpoint: dispatch, and the authorization code grant (OAuth 2.1 section 4.1.3).

A code is taken by one atomic statement and stays used whatever is wrong with its redemption.
"""

from dataclasses import replace
from functools import partial

from functions.oauth.allowances import take
from functions.oauth.authorization_request import bound_resource
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.issued_tokens import IssuedTokens, mint_tokens
from functions.oauth.flows.known_client import require_client
from functions.oauth.flows.refresh_session import refresh
from functions.oauth.flows.ride_out import attempt_seconds, ride_out
from functions.oauth.parameters import RESOURCE, Parameters
from functions.oauth.refusals import (
    InvalidGrantError,
    RefusalError,
    UnsupportedGrantTypeError,
)
from functions.oauth.request_time import spent_time
from shared.domain import pkce
from shared.domain.grants import Grant, GrantStatus
from shared.domain.identifiers import NO_GRANT, ClientId, SessionId, new_id
from shared.domain.rate_limits import LimitName
from shared.domain.sessions import EndCause
from shared.domain.sign_ins import SpentTime
from shared.domain.tokens import TokenKind, has_shape, hash_token
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, authorization_codes, grants, sessions
from shared.state.audit_events import AuditAction
from shared.state.authorization_codes import CodeRecord
from shared.state.database import Transaction
from shared.state.sessions import NewSession
from shared.workflows.end_grant import end_grant


async def issue(dependencies: Dependencies, parameters: Parameters) -> IssuedTokens:
    """Answer a token request.

    Raises:
        RefusalError: with the code of RFC 6749 section 5.2 that says why.
        TooManyRequestsError: this person or session asked too often.
        UnavailableError: the database is away; nobody is signed out for it.
    """
    match parameters.require("grant_type"):
        case "authorization_code":
            # The same ones at every attempt: by them an attempt knows its own redemption.
            minted = mint_tokens(expires_in=_access_seconds(dependencies), scopes=())
            attempt = partial(_redeem_code, dependencies, parameters, minted)
        case "refresh_token":
            attempt = partial(refresh, dependencies, parameters)
        case _:
            raise UnsupportedGrantTypeError("grant_type")
    return await ride_out(attempt, seconds=dependencies.ride_out_seconds)


async def _redeem_code(
    dependencies: Dependencies, parameters: Parameters, minted: IssuedTokens
) -> IssuedTokens:
    code = parameters.require("code")
    for name in ("client_id", "redirect_uri", "code_verifier"):
        parameters.require(name)
    async with dependencies.database.transaction(timeout_seconds=attempt_seconds()) as tx:
        client = await require_client(dependencies, tx, parameters)
        if not has_shape(code, TokenKind.CODE):
            raise InvalidGrantError
        record = await authorization_codes.take(tx, code_hash=hash_token(code))
        refusal = _fault_of(record, parameters, mcp_url=dependencies.mcp_url)
        grant = await _living_grant(tx, record) if record is not None and refusal is None else None
        if record is not None and grant is not None:
            # Refused here, all is rolled back: the code can be used a little later.
            await take(tx, LimitName.CODES_BY_PERSON, str(grant.user_id))
            issued = replace(minted, scopes=record.scopes)
            await _open_session(dependencies, tx, record, issued)
            _tell_time(record.spent.and_then(spent_time()))
            return issued
        if await _was_stored(tx, minted) and record is not None:
            return replace(minted, scopes=record.scopes)
        await _record_refusal(tx, record, client_id=client.client_id)
    raise refusal or InvalidGrantError()  # outside, so that the code stays used


def _tell_time(spent: SpentTime) -> None:
    metrics.duration(MetricName.SIGN_IN_DURATION, spent.total_milliseconds)
    metrics.duration(MetricName.SIGN_IN_OWN_DURATION, spent.own_milliseconds)


async def _was_stored(tx: Transaction, issued: IssuedTokens) -> bool:
    """Whether an earlier attempt of this very request was committed, though nobody heard of it."""
    return await sessions.access_token_lives(tx, hash_token(issued.access_token))


async def _living_grant(tx: Transaction, record: CodeRecord) -> Grant | None:
    """The grant, unless it has ended since the sign-in; before the commit it cannot any more."""
    grant = await grants.find_locked(tx, record.grant_id)
    return None if grant is None or grant.status is GrantStatus.ENDED else grant


def _fault_of(
    record: CodeRecord | None, parameters: Parameters, *, mcp_url: str
) -> RefusalError | None:
    """What is wrong with this redemption; the code is used up either way."""
    if record is None:
        return InvalidGrantError()
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


async def _record_refusal(
    tx: Transaction, record: CodeRecord | None, *, client_id: ClientId
) -> None:
    """A replay means that a code leaked: what it gave ends (OAuth 2.1 section 4.1.3).

    Unknown, expired, foreign and used codes run the same statements: what they cost tells nobody
    which one it was. Only what was ended by it costs the event that says so.
    """
    grant_id = None if record is None else record.grant_id
    replayed = record is not None and record.replayed
    await audit_events.append(
        tx,
        AuditAction.CODE_REPLAYED if replayed else AuditAction.CODE_REFUSED,
        grant_id=grant_id,
        client_id=client_id,
        happened=record is not None,
    )
    ending = grant_id if grant_id is not None and replayed else NO_GRANT
    await end_grant(tx, grant_id=ending, cause=EndCause.CODE_REPLAYED)


def _access_seconds(dependencies: Dependencies) -> int:
    lifetimes = dependencies.lifetimes
    return min(lifetimes.access_seconds, lifetimes.refresh_absolute_seconds)


async def _open_session(
    dependencies: Dependencies, tx: Transaction, record: CodeRecord, issued: IssuedTokens
) -> None:
    lifetimes = dependencies.lifetimes
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
        access_seconds=issued.expires_in,
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
