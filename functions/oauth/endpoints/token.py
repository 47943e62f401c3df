"""``/token``: codes and refresh tokens for tokens (OAuth 2.1 section 3.2). HTTP shape only."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth.answers import json_answer
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.client_authentication import authenticate
from functions.oauth.flows.issue_tokens import issue
from functions.oauth.parameters import claim_client, parse_form
from shared.discovery.documents import TOKEN_PATH


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.post(TOKEN_PATH)
    async def token(request: Request) -> Response:
        parameters = await parse_form(request, bytes_max=dependencies.body_bytes_max)
        claim_client(request, parameters)
        parameters = await authenticate(dependencies, parameters)
        issued = await issue(dependencies, parameters)
        return json_answer(
            {
                "access_token": issued.access_token,
                "token_type": "Bearer",
                "expires_in": issued.expires_in,
                "refresh_token": issued.refresh_token,
                "scope": " ".join(issued.scopes),
            }
        )

    return routes
