"""``/oauth/callback``: where Drupal sends the person back. HTTP shape only."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth import account_cookie, browser_cookie
from functions.oauth.answers import client_address, go_to, return_to_client
from functions.oauth.dependencies import Dependencies
from functions.oauth.endpoints.account import page_address
from functions.oauth.flows import account_sign_in
from functions.oauth.flows.finish_sign_in import finish
from functions.oauth.pages.account import Notice
from functions.oauth.parameters import Parameters, parse_query

CALLBACK_PATH = "/oauth/callback"


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.get(CALLBACK_PATH)
    async def callback(request: Request) -> Response:
        parameters = parse_query(request)
        if account_sign_in.is_ours(parameters):
            return await _to_account(dependencies, request, parameters)
        finished = await finish(dependencies, parameters, browser_cookie.read(request))
        address = client_address(
            finished.request.redirect_uri,
            {"code": finished.code, "state": finished.request.client_state},
            issuer=dependencies.issuer,
        )
        return return_to_client(address)

    return routes


async def _to_account(
    dependencies: Dependencies, request: Request, parameters: Parameters
) -> Response:
    """Drupal knows one address of ours; its answer belongs to the account page by its state."""
    arrival = await account_sign_in.finish(
        dependencies,
        parameters,
        browser=browser_cookie.read(request),
        earlier=account_cookie.read(request),
    )
    notice = Notice.ACCOUNT_CHECKED if arrival.was_refused else None
    answer = go_to(page_address(dependencies.issuer, notice))
    account_cookie.remember(answer, arrival.visit)
    return answer
