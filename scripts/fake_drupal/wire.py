"""The connection itself: what no ASGI application may do, a broken server does.

Odd status lines, bodies cut short, connections closed in silence. Only faults use it.
"""

import asyncio
from functools import partial
from typing import Any

from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

TRANSPORT = "fake_drupal.transport"
OVERSIZED_CHUNK_BYTES = 65_536


class ExposingProtocol(H11Protocol):
    """uvicorn's protocol, handing its transport to the application."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override] # as uvicorn
        """Wrap the application for this connection."""
        super().connection_made(transport)
        self.app = partial(_with_transport, self.app, transport)


async def _with_transport(
    app: ASGIApp, transport: asyncio.Transport, scope: Any, receive: Any, send: Any
) -> None:
    if scope["type"] == "http":
        scope[TRANSPORT] = transport
    await app(scope, receive, send)


class Wire:
    """The connection of one request."""

    def __init__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self._transport: asyncio.Transport = scope[TRANSPORT]
        self._receive = receive
        self._send = send

    async def close(self) -> None:
        """End the connection without another byte."""
        self._transport.abort()
        await self.until_client_leaves()

    async def until_client_leaves(self) -> None:
        """Say nothing until the other side hangs up."""
        while (await self._receive())["type"] != "http.disconnect":
            pass

    async def send_truncated(self, response: Response) -> None:
        """Promise the whole body, send the first half, hang up."""
        body = bytes(response.body)
        self._transport.write(_head(response, str(response.status_code)) + body[: len(body) // 2])
        self._transport.close()
        await self.until_client_leaves()

    async def send_with_reason(self, response: Response, reason: str) -> None:
        """Send the response with a status line of its own, and hang up."""
        self._transport.write(_head(response, f"{response.status_code} {reason}"))
        self._transport.write(bytes(response.body))
        self._transport.close()
        await self.until_client_leaves()

    async def send_oversized(self, size_bytes: int) -> None:
        """200 with a JSON string of so many bytes, in chunks."""
        headers = [(b"content-type", b"application/json")]
        await self._send({"type": "http.response.start", "status": 200, "headers": headers})
        await self._send({"type": "http.response.body", "body": b'"', "more_body": True})
        for start in range(0, size_bytes, OVERSIZED_CHUNK_BYTES):
            chunk = b"x" * min(OVERSIZED_CHUNK_BYTES, size_bytes - start)
            await self._send({"type": "http.response.body", "body": chunk, "more_body": True})
        await self._send({"type": "http.response.body", "body": b'"', "more_body": False})


def _head(response: Response, status: str) -> bytes:
    lines = [f"HTTP/1.1 {status}".encode()]
    lines += [name + b": " + value for name, value in response.raw_headers]
    lines.append(b"connection: close")
    return b"\r\n".join(lines) + b"\r\n\r\n"
