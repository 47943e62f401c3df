"""``/health/live``: that the function answers at all; it must never ask a dependency."""

from fastapi import APIRouter
from starlette.responses import Response

from functions.oauth.answers import json_answer

LIVE_PATH = "/health/live"


def router() -> APIRouter:
    """The endpoint's route."""
    routes = APIRouter()

    @routes.api_route(LIVE_PATH, methods=["GET", "HEAD"])
    async def live() -> Response:
        return json_answer({"status": "live"})

    return routes
