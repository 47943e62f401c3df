"""``/health/live`` asks nobody; ``/health/ready`` tells how our dependencies are."""

from fastapi import APIRouter
from starlette.responses import Response

from functions.oauth.answers import json_answer
from functions.oauth.dependencies import Dependencies
from shared.domain.health import LIVE_PATH, READY_PATH, RETRY_AFTER_SECONDS


def router(dependencies: Dependencies) -> APIRouter:
    """Both routes."""
    routes = APIRouter()

    @routes.api_route(LIVE_PATH, methods=["GET", "HEAD"])
    async def live() -> Response:
        return json_answer({"status": "live"})

    @routes.api_route(READY_PATH, methods=["GET", "HEAD"])
    async def ready() -> Response:
        report = await dependencies.readiness()
        answer = json_answer(report.as_json(), status=report.http_status)
        if answer.status_code == 503:
            answer.headers["retry-after"] = str(RETRY_AFTER_SECONDS)
        return answer

    return routes
