"""From ``/authorize`` to Drupal: the person is asked first, and the way back bound to the browser.

Drupal never sees anything that the client sent.
"""

from dataclasses import dataclass

from functions.oauth import authorization_request
from functions.oauth.browser_cookie import upstream_state, upstream_verifier
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.find_client import find_client
from functions.oauth.pages.destinations import may_skip_consent
from functions.oauth.pages.render import ConsentForm
from functions.oauth.parameters import Parameters
from functions.oauth.refusals import (
    AccessDeniedError,
    ClientBlockedError,
    HeldReturnError,
    ReturnedToClientError,
    SignInExpiredError,
    UnknownClientError,
)
from functions.oauth.request_time import spent_time
from shared.domain import redirects
from shared.domain.clients import Client, RegistrationKind
from shared.domain.document_ids import looks_like_document_id
from shared.domain.identifiers import SignInId, new_id
from shared.domain.known_clients import client_family
from shared.domain.sign_ins import NO_TIME, AuthorizationRequest
from shared.domain.tokens import PlainToken, TokenHash, TokenKind, hash_token, mint
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state import audit_events, sign_ins
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction


@dataclass(frozen=True, slots=True)
class SentUpstream:
    """The person goes on to Drupal."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsentAnswer:
    """The consent form as it came back; its values are unproven until a statement finds them."""

    sign_in_id: SignInId
    consent: PlainToken
    browser: PlainToken

    @property
    def hashes(self) -> tuple[TokenHash, TokenHash]:
        """Hashes of browser and consent, in this order."""
        return hash_token(self.browser), hash_token(self.consent)


async def begin(
    dependencies: Dependencies, parameters: Parameters, browser: PlainToken
) -> ConsentForm | SentUpstream:
    """Open a sign-in; what to ask the person, or where to go where that was answered before.

    Raises:
        UnknownClientError, ClientBlockedError, ClientDocumentInvalidError: for a page.
        ClientDocumentUnavailableError: for a page; passes.
        InvalidRedirectUriError: for a page.
        ReturnedToClientError: for the client, at once or by way of a page.
    """
    client_id = authorization_request.client_id_of(parameters)
    if looks_like_document_id(client_id):
        await dependencies.document_clients.bring_up_to_date(client_id)
    async with dependencies.database.transaction() as tx:
        client = await find_client(dependencies, tx, client_id)
        if client is None:
            raise UnknownClientError("client_id")
        if client.blocked:
            raise ClientBlockedError("client_id")
        browser_hash = hash_token(browser)
        try:
            request = authorization_request.validate(
                parameters,
                client,
                mcp_url=dependencies.mcp_url,
                scopes_offered=dependencies.scopes_offered,
            )
        except ReturnedToClientError as refused:
            raise await _held_unless_trusted(tx, client, refused, browser_hash) from None
        form = ConsentForm(
            client=client,
            request=request,
            sign_in_id=SignInId(new_id()),
            consent=mint(TokenKind.CONSENT),
        )
        await sign_ins.begin(
            tx,
            sign_in_id=form.sign_in_id,
            browser_hash=browser_hash,
            consent_hash=hash_token(form.consent),
            request=request,
            spent=spent_time(),
        )
        metrics.count(MetricName.SIGN_INS, outcome="begun")
        family = client_family(client).value
        metrics.count(MetricName.CLIENT_SIGN_INS, client_family=family, outcome="begun")
        if not await _asked_before(tx, browser_hash, request):
            return form
        answer = ConsentAnswer(sign_in_id=form.sign_in_id, consent=form.consent, browser=browser)
        return await _send_upstream(dependencies, tx, answer, remembered=True)


async def allow(dependencies: Dependencies, answer: ConsentAnswer) -> SentUpstream:
    """The person agreed: the sign-in gets its state and goes on, once.

    Raises:
        SignInExpiredError: expired, answered before, or not this browser's.
    """
    async with dependencies.database.transaction() as tx:
        return await _send_upstream(dependencies, tx, answer, remembered=False)


async def deny(dependencies: Dependencies, answer: ConsentAnswer) -> ReturnedToClientError:
    """The person refused: the sign-in is gone, and the client is told by what is returned.

    Raises:
        SignInExpiredError: expired, answered before, or not this browser's.
    """
    browser_hash, consent_hash = answer.hashes
    async with dependencies.database.transaction() as tx:
        request = await sign_ins.deny(
            tx,
            sign_in_id=answer.sign_in_id,
            browser_hash=browser_hash,
            consent_hash=consent_hash,
        )
        if request is None:
            raise SignInExpiredError
        await audit_events.append(tx, AuditAction.CONSENT_DENIED, client_id=request.client_id)
    metrics.count(MetricName.SIGN_INS, outcome="denied")
    return ReturnedToClientError(
        AccessDeniedError(), redirect_uri=request.redirect_uri, client_state=request.client_state
    )


async def _held_unless_trusted(
    tx: Transaction, client: Client, refused: ReturnedToClientError, browser_hash: TokenHash
) -> ReturnedToClientError:
    """Tell at once only those addresses that cannot be a stranger's website.

    That is this machine, a client that the operator registered, and what the person in this
    browser has approved before (RFC 9700 section 4.11.2).
    """
    uri = refused.redirect_uri
    if redirects.is_loopback(uri) or client.kind is RegistrationKind.PREREGISTERED:
        return refused
    known = await sign_ins.has_approved(
        tx, browser_hash=browser_hash, client_id=client.client_id, redirect_uri=uri
    )
    if known:
        return refused
    return HeldReturnError(refused.refusal, redirect_uri=uri, client_state=refused.client_state)


async def _asked_before(
    tx: Transaction, browser_hash: TokenHash, request: AuthorizationRequest
) -> bool:
    if not may_skip_consent(request.redirect_uri):
        return False
    return await sign_ins.is_approved(tx, browser_hash=browser_hash, request=request)


async def _send_upstream(
    dependencies: Dependencies, tx: Transaction, answer: ConsentAnswer, *, remembered: bool
) -> SentUpstream:
    browser_hash, consent_hash = answer.hashes
    state = upstream_state(answer.browser, answer.consent)
    request = await sign_ins.send_upstream(
        tx,
        sign_in_id=answer.sign_in_id,
        browser_hash=browser_hash,
        consent_hash=consent_hash,
        state_hash=hash_token(state),
        # Remembered, it is the very request that has begun the sign-in.
        spent=NO_TIME if remembered else spent_time(),
    )
    if request is None:
        raise SignInExpiredError
    await audit_events.append(
        tx,
        AuditAction.CONSENT_GIVEN,
        client_id=request.client_id,
        details={"remembered": remembered, "scopes": " ".join(request.scopes)},
    )
    metrics.count(MetricName.SIGN_INS, outcome="consented")
    verifier = upstream_verifier(answer.browser, state)
    return SentUpstream(
        dependencies.upstream.authorization_url(state=state, code_verifier=verifier)
    )
