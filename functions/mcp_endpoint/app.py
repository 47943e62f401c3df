"""The ASGI app of the resource server: what stands before the SDK, in its order.

Never words an error of its own in anything but JSON: clients take other bodies for a fault.
"""

from collections.abc import Awaitable, Callable
from typing import ClassVar
from urllib.parse import urlsplit

from functions.mcp_endpoint.answers import (
    ALLOWED_HEADERS,
    PREFLIGHT_SECONDS,
    Answer,
    Receive,
    Scope,
    Send,
    common_headers,
    json_answer,
    message_error,
    plain_error,
    send_answer,
    with_common_headers,
)
from functions.mcp_endpoint.exchange import ExchangeParts, MessageExchange
from shared.discovery import routes
from shared.discovery.documents import (
    AUTHORIZE_PATH,
    REGISTER_PATH,
    REVOKE_PATH,
    TOKEN_PATH,
)
from shared.domain.health import LIVE_PATH, READY_PATH, RETRY_AFTER_SECONDS, HealthReport
from shared.domain.scopes import SCOPES_OFFERED
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability.request_context import correlation_id

_METHODS = "POST, OPTIONS"
_READING = frozenset({"GET", "HEAD"})
_ISSUER_PATHS = frozenset({AUTHORIZE_PATH, TOKEN_PATH, REGISTER_PATH, REVOKE_PATH})


class NotFoundError(ServiceError):
    """There is nothing at this address."""

    code: ClassVar[ErrorCode] = ErrorCode.NOT_FOUND


class MethodNotAllowedError(ServiceError):
    """This address takes other methods."""

    code: ClassVar[ErrorCode] = ErrorCode.METHOD_NOT_ALLOWED


class McpEndpoint:
    """The app."""

    def __init__(
        self,
        parts: ExchangeParts,
        *,
        issuer_url: str,
        mcp_url: str,
        readiness: Callable[[], Awaitable[HealthReport]],
        registration: bool = True,
        scopes_offered: tuple[str, ...] = SCOPES_OFFERED,
    ) -> None:
        self._readiness = readiness
        self._registration = registration
        self._scopes_offered = scopes_offered
        self._parts = parts
        self._issuer_url = issuer_url
        self._mcp_url = mcp_url
        self._common = common_headers(https=mcp_url.startswith("https:"))
        self._mcp_path = urlsplit(mcp_url).path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._serve(scope, receive, with_common_headers(send, common=self._common))

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._parts.protocol.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].removesuffix("/") == self._mcp_path and scope["method"] == "POST":
            await MessageExchange(self._parts, scope, receive, send).run()
        elif scope["path"] == READY_PATH and scope["method"] in _READING:
            await send_answer(_health_answer(await self._readiness()), send)
        else:
            await send_answer(self._static_answer(scope), send)

    def _static_answer(self, scope: Scope) -> Answer:
        """Everything that is answered from fixed facts: no token, no database, no keys."""
        path, method = scope["path"], scope["method"]
        document = routes.find(
            path,
            method=method,
            issuer=self._issuer_url,
            mcp_url=self._mcp_url,
            correlation_id=correlation_id(),
            registration=self._registration,
            scopes=self._scopes_offered,
        )
        if document is not None:
            return Answer(status=document.status, headers=document.headers, body=document.body)
        if path in _ISSUER_PATHS:
            return self._to_issuer(path, scope["query_string"].decode("latin-1"))
        if path == LIVE_PATH and method in _READING:
            return json_answer(200, {"status": "ok"})
        if path.removesuffix("/") == self._mcp_path:
            return _preflight() if method == "OPTIONS" else _method_not_allowed()
        return plain_error(NotFoundError())

    def _to_issuer(self, path: str, query: str) -> Answer:
        """Clients without metadata guess these paths at the root of this host."""
        target = f"{self._issuer_url}{path}" + (f"?{query}" if query else "")
        # 307 keeps method and body (RFC 9110 section 15.4.8) and is remembered by nobody.
        return json_answer(307, {"location": target}, headers={"location": target})


def _health_answer(report: HealthReport) -> Answer:
    retry = {"retry-after": str(RETRY_AFTER_SECONDS)} if report.http_status == 503 else {}
    headers = {"cache-control": "no-store", **retry}
    return json_answer(report.http_status, report.as_json(), headers=headers)


def _preflight() -> Answer:
    return json_answer(
        200,  # not 204: answers without a byte get stuck in some fronts
        {},
        headers={
            "allow": _METHODS,
            "access-control-allow-methods": _METHODS,
            "access-control-allow-headers": ALLOWED_HEADERS,
            "access-control-max-age": str(PREFLIGHT_SECONDS),
        },
    )


def _method_not_allowed() -> Answer:
    return message_error(MethodNotAllowedError(), request_id=None, headers={"allow": _METHODS})
