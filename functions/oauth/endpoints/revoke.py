"""``/revoke``: a client gives its tokens back (RFC 7009 section 2). HTTP shape only."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth.answers import json_answer
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.client_authentication import authenticate
from functions.oauth.flows.revoke_session import revoke
from functions.oauth.parameters import claim_client, parse_form
from shared.discovery.documents import REVOKE_PATH


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.post(REVOKE_PATH)
    async def revoke_token(request: Request) -> Response:
        parameters = await parse_form(request, bytes_max=dependencies.body_bytes_max)
        claim_client(request, parameters)
        await revoke(dependencies, await authenticate(dependencies, parameters))
        return json_answer({})

    return routes
