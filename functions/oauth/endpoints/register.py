"""``/register``: dynamic client registration (RFC 7591 section 3). HTTP shape only."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth.allowances import admit
from functions.oauth.answers import json_answer
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.register_client import register
from functions.oauth.parameters import JSON_TYPE, read_body
from shared.discovery.documents import REGISTER_PATH
from shared.domain.rate_limits import LimitName


def router(dependencies: Dependencies) -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.post(REGISTER_PATH)
    async def register_client(request: Request) -> Response:
        await admit(dependencies, request, LimitName.REGISTER_BY_ADDRESS)
        body = await read_body(request, media_type=JSON_TYPE, bytes_max=dependencies.body_bytes_max)
        return json_answer(await register(dependencies, body), status=201)

    return routes
