"""``/authorize``: the front door of a sign-in, and the answer to its consent page.

HTTP shape only; what happens is in the flow.
"""

from uuid import UUID

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth import browser_cookie
from functions.oauth.allowances import admit
from functions.oauth.answers import error_address, go_to
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows import begin_sign_in
from functions.oauth.flows.begin_sign_in import ConsentAnswer, SentUpstream
from functions.oauth.parameters import Parameters, claim_client, parse_form, parse_query
from functions.oauth.refusals import (
    InvalidRequestError,
    SignInExpiredError,
    SignInOtherBrowserError,
)
from shared.discovery.documents import AUTHORIZE_PATH
from shared.domain.identifiers import SignInId
from shared.domain.rate_limits import LimitName
from shared.domain.tokens import PlainToken, TokenKind, has_shape


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's routes."""
    routes = APIRouter()

    @routes.get(AUTHORIZE_PATH)
    async def authorize(request: Request) -> Response:
        await admit(dependencies, request, LimitName.AUTHORIZE_BY_ADDRESS)
        browser = browser_cookie.read_or_mint(request)
        parameters = parse_query(request)
        claim_client(request, parameters)
        step = await begin_sign_in.begin(dependencies, parameters, browser)
        if isinstance(step, SentUpstream):
            answer = go_to(step.url)
        else:
            answer = dependencies.pages.consent(step)
        browser_cookie.remember(answer, browser)
        return answer

    @routes.post(AUTHORIZE_PATH)
    async def answer_consent(request: Request) -> Response:
        parameters = await parse_form(request, bytes_max=dependencies.body_bytes_max)
        consent = _consent_answer(parameters, browser_cookie.read(request))
        match parameters.require("decision"):
            case "allow":
                sent = await begin_sign_in.allow(dependencies, consent)
                return dependencies.pages.onward_to_site(sent.url)
            case "deny":
                denied = await begin_sign_in.deny(dependencies, consent)
                address = error_address(denied, issuer=dependencies.issuer)
                return dependencies.pages.onward_to_client(address, denied.redirect_uri)
            case _:
                raise InvalidRequestError("decision")

    return routes


def _consent_answer(parameters: Parameters, browser: PlainToken | None) -> ConsentAnswer:
    consent = parameters.require("consent")
    try:
        sign_in_id = SignInId(UUID(parameters.require("sign_in")))
    except ValueError:
        raise SignInExpiredError from None
    if not has_shape(consent, TokenKind.CONSENT):
        raise SignInExpiredError
    if browser is None:
        raise SignInOtherBrowserError
    return ConsentAnswer(sign_in_id=sign_in_id, consent=PlainToken(consent), browser=browser)
