"""HTTP answers of this door's own making: JSON bodies and the headers that every answer carries.

Never puts anything into an answer but catalogue text, guidance and fixed addresses.
"""

import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from shared.discovery.security_headers import security_headers
from shared.errors.base import ServiceError
from shared.errors.translation import JsonObject, as_jsonrpc_error, as_problem
from shared.observability.debug_answers import debug_of
from shared.observability.request_context import correlation_id

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[Scope, Receive, Send], Awaitable[None]]

PROBLEM_TYPE = "application/problem+json"
PREFLIGHT_SECONDS = 7_200
ALLOWED_HEADERS = (
    "Authorization, Content-Type, Accept, Mcp-Protocol-Version, Mcp-Session-Id, Mcp-Method, "
    "Mcp-Name, Last-Event-Id, X-Correlation-Id, Traceparent, *"
)
"""A star does not cover Authorization, and some browsers do not know the star at all."""

_EXPOSED_HEADERS = (
    "WWW-Authenticate, X-Mcp-Challenge, Mcp-Session-Id, Mcp-Protocol-Version, "
    "X-Correlation-Id, Retry-After"
)
_CROSS_ORIGIN: Mapping[str, str] = {
    # Tokens travel in a header only, so any web page may call; no cookie is ever read here.
    "access-control-allow-origin": "*",
    "access-control-expose-headers": _EXPOSED_HEADERS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A whole answer: status, headers in any case, body bytes."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


def json_answer(
    status: int, body: Mapping[str, object], *, headers: Mapping[str, str] | None = None
) -> Answer:
    """An answer with a JSON object as its body."""
    return Answer(
        status=status,
        headers={"content-type": "application/json", **(headers or {})},
        body=json.dumps(body, separators=(",", ":")).encode(),
    )


def message_error(
    error: ServiceError,
    *,
    request_id: str | int | None,
    headers: Mapping[str, str] | None = None,
    details: JsonObject | None = None,
) -> Answer:
    """An error as the answer to a JSON-RPC message, with the status of its catalogue row."""
    body = as_jsonrpc_error(
        error,
        correlation_id=correlation_id(),
        request_id=request_id,
        details={**(details or {}), **debug_of(error)},
    )
    return json_answer(error.entry.http_status, body, headers={**_retry(error), **(headers or {})})


def plain_error(error: ServiceError, *, headers: Mapping[str, str] | None = None) -> Answer:
    """An error at an address that does not speak JSON-RPC, as a problem (RFC 9457)."""
    body = {**as_problem(error, correlation_id=correlation_id()), **debug_of(error)}
    worn = {"content-type": PROBLEM_TYPE, **_retry(error), **(headers or {})}
    return json_answer(error.entry.http_status, body, headers=worn)


def _retry(error: ServiceError) -> dict[str, str]:
    seconds = error.retry_after_seconds
    return {} if seconds is None else {"retry-after": str(seconds)}


async def send_answer(answer: Answer, send: Send) -> None:
    """Send a whole answer in one piece."""
    headers = {**answer.headers, "content-length": str(len(answer.body))}
    await send(
        {
            "type": "http.response.start",
            "status": answer.status,
            "headers": [(key.lower().encode(), value.encode()) for key, value in headers.items()],
        }
    )
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})


def common_headers(*, https: bool) -> Mapping[str, str]:
    """What every answer of this door carries, whoever makes it; names in lower case."""
    return {**security_headers(https=https), **_CROSS_ORIGIN}


def with_common_headers(send: Send, *, common: Mapping[str, str]) -> Send:
    """A ``send`` that gives every answer the common headers; what an answer sets itself stays."""

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = list(message.get("headers", ()))
            present = {bytes(key).lower() for key, _ in headers}
            added = {**common, "x-correlation-id": correlation_id()}
            lines = [(key.encode(), value.encode()) for key, value in added.items()]
            headers += [line for line in lines if line[0] not in present]
            message = {**message, "headers": headers}
        await send(message)

    return sending


def header_values(scope: Scope, name: bytes) -> list[str]:
    """Every value of a request header, as text; ``name`` in lower case."""
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]
