"""From Drupal back to the client: the code is exchanged, the pair sealed, our own code issued.

No transaction is open while Drupal is awaited, and nothing of Drupal's reaches the client.
"""

import secrets
from dataclasses import dataclass, field

from functions.oauth.browser_cookie import APPROVAL_SECONDS, upstream_verifier
from functions.oauth.dependencies import Dependencies
from functions.oauth.pages.destinations import may_skip_consent
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import (
    AccessDeniedError,
    ClientBlockedError,
    ReturnedToClientError,
    SignInExpiredError,
    SignInOtherBrowserError,
    SignInRefusedUpstreamError,
)
from functions.oauth.request_time import spent_time
from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import ClientId, GrantId, UserId, new_id
from shared.domain.known_clients import ClientFamily, client_family
from shared.domain.sign_ins import AuthorizationRequest, SignIn
from shared.domain.tokens import PlainToken, TokenKind, has_shape, hash_token, mint
from shared.errors.base import ServiceError
from shared.observability import metrics, request_context
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import audit_events, authorization_codes, clients, grants, sign_ins, users
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction
from shared.vault.pair_codec import encode_pair
from shared.workflows.sealed_pairs import pair_binding, refresh_after_seconds

UPSTREAM_CODE_LENGTH_MAX = 4_000
BURN_SECONDS_MAX = 4.0
FIRST_GENERATION = 1
SALT_BYTES = 32
_ACCESS_DENIED = "access_denied"


@dataclass(frozen=True, slots=True, kw_only=True)
class FinishedSignIn:
    """Where the person goes, with our code for the client."""

    request: AuthorizationRequest
    code: PlainToken = field(repr=False)


async def finish(
    dependencies: Dependencies, parameters: Parameters, browser: PlainToken | None
) -> FinishedSignIn:
    """Complete a sign-in. Parameters that Drupal adds of its own are ignored.

    Raises:
        SignInExpiredError: no open sign-in has this state.
        SignInOtherBrowserError: another browser started it.
        SignInRefusedUpstreamError: Drupal sent no usable code.
        ClientBlockedError: the client was blocked meanwhile; the pair is burnt.
        ReturnedToClientError: the person refused at Drupal, or Drupal reports an error.
        UnavailableError: Drupal, database or key service is away.
    """
    state = _state_of(parameters)
    if browser is None:
        # Whose sign-in that was is not looked up, and it stays open; a burst of them is seen.
        metrics.count(MetricName.SIGN_INS, outcome="other_browser")
        raise SignInOtherBrowserError
    # Before anything is used up: while the key service is away, reloading the page still works.
    await dependencies.vault.prepare()
    sign_in = await _take(dependencies, state, browser)
    code = await _upstream_code(dependencies, parameters, sign_in)
    pair = await dependencies.upstream.redeem_code(
        code,
        code_verifier=upstream_verifier(browser, state),
        timeout_seconds=min(
            dependencies.upstream_timeout_seconds, request_context.remaining_seconds()
        ),
    )
    try:
        finished = await _store(dependencies, sign_in, pair)
    except ServiceError as error:
        await burn_quietly(dependencies, pair)
        if isinstance(error, ClientBlockedError):
            await _refuse(dependencies, sign_in, reason="client_blocked")
        raise
    metrics.count(MetricName.SIGN_INS, outcome="completed")
    return finished


def _state_of(parameters: Parameters) -> PlainToken:
    state = parameters.get("state")
    if state is None or "state" in parameters.repeated or not has_shape(state, TokenKind.STATE):
        raise SignInExpiredError
    return PlainToken(state)


async def _take(dependencies: Dependencies, state: PlainToken, browser: PlainToken) -> SignIn:
    async with dependencies.database.transaction() as tx:
        sign_in = await sign_ins.take(tx, state_hash=hash_token(state))
        if sign_in is None:
            raise SignInExpiredError
        same_browser = secrets.compare_digest(hash_token(browser), sign_in.browser_hash)
        if not same_browser:
            await _refused(tx, sign_in, reason="other_browser")
    if not same_browser:
        raise SignInOtherBrowserError
    return sign_in


async def _upstream_code(
    dependencies: Dependencies, parameters: Parameters, sign_in: SignIn
) -> str:
    """Drupal's code; its error answer goes on to the client in our words."""
    error, code = parameters.get("error"), parameters.get("code")
    denied = error == _ACCESS_DENIED
    if not denied:
        # The denominator of completion: what a person decides is no failure.
        metrics.count(MetricName.SIGN_INS, outcome="returned")
    if error is not None:
        # A person may refuse here or at the site: both are counted as that.
        await _refuse(dependencies, sign_in, reason="denied" if denied else "upstream_error")
        raise ReturnedToClientError(
            AccessDeniedError() if denied else SignInRefusedUpstreamError(),
            redirect_uri=sign_in.request.redirect_uri,
            client_state=sign_in.request.client_state,
        )
    if code is None or "code" in parameters.repeated or len(code) > UPSTREAM_CODE_LENGTH_MAX:
        await _refuse(dependencies, sign_in, reason="no_code")
        raise SignInRefusedUpstreamError
    return code


async def _refuse(dependencies: Dependencies, sign_in: SignIn, *, reason: str) -> None:
    async with dependencies.database.transaction() as tx:
        await _refused(tx, sign_in, reason=reason)


async def _refused(tx: Transaction, sign_in: SignIn, *, reason: str) -> None:
    metrics.count(MetricName.SIGN_INS, outcome=reason)
    await audit_events.append(
        tx,
        AuditAction.SIGN_IN_REFUSED,
        client_id=sign_in.request.client_id,
        details={"reason": reason},
    )


async def _store(dependencies: Dependencies, sign_in: SignIn, pair: UpstreamPair) -> FinishedSignIn:
    """Grant, code, approval and audit events stand or fall together.

    The person's row comes first, on its own: sealing needs its salt and may need the connection.
    """
    async with dependencies.database.transaction() as tx:
        user_id, salt = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site=dependencies.site,
            subject=pair.subject,
            salt=secrets.token_bytes(SALT_BYTES),
        )
    grant_id = GrantId(new_id())
    binding = pair_binding(grant_id=grant_id, user_id=user_id, pair_generation=FIRST_GENERATION)
    sealed = await dependencies.vault.seal(encode_pair(pair), user_salt=salt, binding=binding)
    code = mint(TokenKind.CODE)
    async with dependencies.database.transaction() as tx:
        family = await _use_client(tx, sign_in.request.client_id)
        await grants.create(
            tx,
            grant_id=grant_id,
            user_id=user_id,
            client_id=sign_in.request.client_id,
            pair=sealed,
            life_seconds=pair.life_seconds,
            refresh_after_seconds=_refresh_after_seconds(pair),
            client_family=family,
        )
        await authorization_codes.add(
            tx,
            code_hash=hash_token(code),
            grant_id=grant_id,
            request=sign_in.request,
            spent=sign_in.spent.and_then(spent_time()),
        )
        await _record(tx, sign_in, user_id=user_id, grant_id=grant_id, family=family)
    return FinishedSignIn(request=sign_in.request, code=code)


async def _record(
    tx: Transaction, sign_in: SignIn, *, user_id: UserId, grant_id: GrantId, family: ClientFamily
) -> None:
    request = sign_in.request
    if may_skip_consent(request.redirect_uri):
        await sign_ins.approve_in_browser(
            tx, browser_hash=sign_in.browser_hash, request=request, seconds=APPROVAL_SECONDS
        )
    for action in (AuditAction.SIGN_IN_COMPLETED, AuditAction.GRANT_CREATED):
        await audit_events.append(
            tx,
            action,
            user_id=user_id,
            grant_id=grant_id,
            client_id=request.client_id,
            details={"client_family": family.value},
        )


async def _use_client(tx: Transaction, client_id: ClientId) -> ClientFamily:
    """Keep the client for good; whose it is.

    Raises:
        ClientBlockedError: an operator has blocked it since the sign-in began.
    """
    await clients.mark_used(tx, client_id)
    client = await clients.find_locked(tx, client_id)
    if client is not None and client.blocked:
        raise ClientBlockedError
    family = ClientFamily.OTHER if client is None else client_family(client)
    metrics.count(MetricName.CLIENT_SIGN_INS, client_family=family.value, outcome="completed")
    return family


def _refresh_after_seconds(pair: UpstreamPair) -> float | None:
    """A pair without refresh token is never refreshed in the background."""
    return None if pair.refresh_token is None else refresh_after_seconds(pair.life_seconds)


async def burn_quietly(dependencies: Dependencies, pair: UpstreamPair) -> None:
    """A pair that could not be stored is made useless, as well as time allows."""
    seconds = min(BURN_SECONDS_MAX, request_context.remaining_seconds() / 2)
    try:
        await dependencies.upstream.burn(pair, timeout_seconds=seconds)
    except ServiceError as error:
        log.warning("unstored upstream pair not burnt", error_code=error.code.value)
