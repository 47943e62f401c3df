"""What every answer wears: security headers, CORS for the back channel, the documents, and a net.

The pages never get CORS headers, and no exception leaves: a crash is answered, reported, counted,
and a request that runs out of time is answered while there is some.
"""

import time
from collections.abc import Mapping

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.oauth.answers import json_error, page_error
from functions.oauth.deadline import OutOfTimeError, in_request_time
from functions.oauth.dependencies import Dependencies
from functions.oauth.endpoints.callback import CALLBACK_PATH
from shared.discovery import routes as discovery
from shared.discovery.documents import AUTHORIZE_PATH, REGISTER_PATH, REVOKE_PATH, TOKEN_PATH
from shared.discovery.security_headers import SecurityHeaders, security_headers
from shared.domain.account_page import ACCOUNT_PATH
from shared.domain.tokens import TokenKind
from shared.errors.base import ServiceError
from shared.errors.translation import as_service_error
from shared.observability import metrics, stopwatch
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import correlation_id

PREFLIGHT_HEADERS: Mapping[str, str] = {
    "access-control-allow-methods": "POST, OPTIONS",
    "access-control-allow-headers": "Authorization, Content-Type, MCP-Protocol-Version",
    "access-control-max-age": "600",
}
PAGE_PATHS = frozenset({AUTHORIZE_PATH, CALLBACK_PATH, ACCOUNT_PATH})
BACK_CHANNEL_PATHS = frozenset({TOKEN_PATH, REGISTER_PATH, REVOKE_PATH})
OPERATIONS: Mapping[str, str] = {
    AUTHORIZE_PATH: "authorize",
    CALLBACK_PATH: "callback",
    ACCOUNT_PATH: "account",
    TOKEN_PATH: "token",
    REGISTER_PATH: "register",
    REVOKE_PATH: "revoke",
}


class Envelope:
    """ASGI middleware around the whole application."""

    def __init__(self, app: ASGIApp, *, dependencies: Dependencies) -> None:
        self._app = app
        self._dependencies = dependencies
        self._security = security_headers(https=dependencies.issuer.startswith("https:"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer documents and preflights at once, everything else by the application."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        path: str = scope["path"]
        sender = _Sender(path, send, security=self._security)
        answer = self._at_once(scope)
        try:
            with stopwatch.timed():
                async with in_request_time():
                    await (answer or self._app)(scope, receive, sender)
        except Exception as error:
            if sender.started:
                raise
            await self._failed(Request(scope), error)(scope, receive, sender)
        log.debug(
            "request answered",
            status=sender.status,
            duration_milliseconds=round((time.perf_counter() - started) * 1000, 3),
        )
        metrics.count(
            MetricName.OAUTH_ANSWERS,
            operation=OPERATIONS.get(path, "other"),
            outcome=f"{sender.status // 100}xx",
        )

    def _at_once(self, scope: Scope) -> Response | None:
        path, method = scope["path"], scope["method"]
        found = discovery.find(
            path,
            method=method,
            issuer=self._dependencies.issuer,
            mcp_url=self._dependencies.mcp_url,
            correlation_id=correlation_id(),
            registration=self._dependencies.dynamic_registration_enabled,
            scopes=self._dependencies.scopes_offered,
        )
        if found is not None:
            return Response(found.body, status_code=found.status, headers=found.headers)
        if method == "OPTIONS" and path in BACK_CHANNEL_PATHS:
            # Not 204: empty bodies have hung on Function URLs.
            return Response(b"{}", media_type="application/json", headers=PREFLIGHT_HEADERS)
        return None

    def _failed(self, request: Request, error: Exception) -> Response:
        if not isinstance(error, OutOfTimeError):
            log.exception("request crashed", error=error)
        return error_answer(request, as_service_error(error), dependencies=self._dependencies)


class _Sender:
    """Adds headers to the response's start and remembers its status."""

    def __init__(self, path: str, send: Send, *, security: SecurityHeaders) -> None:
        self._path = path
        self._send = send
        self._security = security
        self.started = False
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            self.status = message["status"]
            self._dress(MutableHeaders(scope=message))
        await self._send(message)

    def _dress(self, headers: MutableHeaders) -> None:
        for name, value in self._security.items():
            headers.setdefault(name, value)
        headers["x-correlation-id"] = correlation_id()
        if self._path in BACK_CHANNEL_PATHS:
            headers["access-control-allow-origin"] = "*"
            headers["access-control-expose-headers"] = "Retry-After, X-Correlation-Id"


def error_answer(request: Request, error: ServiceError, *, dependencies: Dependencies) -> Response:
    """``error`` in the form of its endpoint: a page for people, JSON for clients."""
    path = request.scope["path"]
    if path in PAGE_PATHS:
        at_account = path == ACCOUNT_PATH or _comes_back_to_account(request)
        return page_error(error, pages=dependencies.pages, at_account=at_account)
    # On ``server_error`` clients throw their tokens away: a fault of ours signs nobody out.
    return json_error(error, passing=path == TOKEN_PATH and error.entry.http_status == 500)


def _comes_back_to_account(request: Request) -> bool:
    """Whether Drupal's answer, however malformed, belongs to a sign-in to the account page."""
    return request.query_params.get("state", "").startswith(TokenKind.ACCOUNT_STATE.value)
