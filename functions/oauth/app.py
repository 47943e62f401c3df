"""The authorization server as an ASGI application: wiring only, no decision about any request."""

from fastapi import FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from functions.oauth.answers import error_address, held_error, return_to_client
from functions.oauth.dependencies import Dependencies
from functions.oauth.endpoints import account, authorize, callback, health, register, revoke, token
from functions.oauth.envelope import Envelope, error_answer
from functions.oauth.refusals import (
    HeldReturnError,
    InvalidRequestError,
    MethodNotAllowedError,
    NotFoundError,
    RefusalError,
    ReturnedToClientError,
)
from functions.oauth.request_limits import RefusalLimits
from shared.errors.base import ServiceError

_BY_STATUS: dict[int, type[RefusalError]] = {404: NotFoundError, 405: MethodNotAllowedError}


def create_app(dependencies: Dependencies) -> FastAPI:
    """Plug endpoints, error answers and the envelope together."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None, redirect_slashes=False)
    for endpoint in (authorize, callback, account, token, register, revoke, health):
        app.include_router(endpoint.router(dependencies))

    async def held(_: Request, error: Exception) -> Response:
        assert isinstance(error, HeldReturnError)  # noqa: S101 - how it was registered
        return held_error(error, issuer=dependencies.issuer, pages=dependencies.pages)

    async def returned(_: Request, error: Exception) -> Response:
        assert isinstance(error, ReturnedToClientError)  # noqa: S101 - how it was registered
        return return_to_client(error_address(error, issuer=dependencies.issuer))

    async def refused(request: Request, error: Exception) -> Response:
        assert isinstance(error, ServiceError)  # noqa: S101 - how it was registered
        return error_answer(request, error, dependencies=dependencies)

    async def unroutable(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)  # noqa: S101 - how it was registered
        refusal = _BY_STATUS.get(error.status_code, InvalidRequestError)()
        answer = error_answer(request, refusal, dependencies=dependencies)
        answer.headers.update(error.headers or {})
        return answer

    app.add_exception_handler(HeldReturnError, held)
    app.add_exception_handler(ReturnedToClientError, returned)
    app.add_exception_handler(ServiceError, refused)
    app.add_exception_handler(HTTPException, unroutable)
    app.add_middleware(RefusalLimits, dependencies=dependencies)
    # Added, not wrapped around: outside of it the framework answers crashes in words of its own.
    app.add_middleware(Envelope, dependencies=dependencies)
    return app
