"""``/oauth/callback``: where Drupal sends the person back. HTTP shape only."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth import browser_cookie
from functions.oauth.answers import client_address, return_to_client
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.finish_sign_in import finish
from functions.oauth.parameters import parse_query

CALLBACK_PATH = "/oauth/callback"


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.get(CALLBACK_PATH)
    async def callback(request: Request) -> Response:
        finished = await finish(dependencies, parse_query(request), browser_cookie.read(request))
        address = client_address(
            finished.request.redirect_uri,
            {"code": finished.code, "state": finished.request.client_state},
            issuer=dependencies.issuer,
        )
        return return_to_client(address)

    return routes
