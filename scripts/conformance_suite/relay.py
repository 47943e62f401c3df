"""A loopback relay that signs requests in: checkers cannot send an Authorization header themselves.

It must change nothing else: what a checker gets wrong on purpose has to arrive wrong.
"""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from typing import Final
from urllib.parse import urlsplit

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 128
_TIMEOUT_SECONDS: Final = 60.0
_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Of one connection, not of the message (RFC 9110 section 7.6.1); the body's length is told anew.
_HOP_BY_HOP: Final = frozenset(
    {b"connection", b"keep-alive", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
)

RawHeaders = list[tuple[bytes, bytes]]


class Relay:
    """Passes everything on to one server, with one person's access token."""

    def __init__(self, server_url: str, *, access_token: str, port: int) -> None:
        parts = urlsplit(server_url)
        self._server = f"{parts.scheme}://{parts.netloc}"
        self._authorization = f"Bearer {access_token}".encode()
        # A checker that names the relay means the server; any other name goes on as it came.
        self._renamed = {
            f"{_HOST}:{port}".encode(): parts.netloc.encode(),
            f"http://{_HOST}:{port}".encode(): self._server.encode(),
        }
        self.url = f"http://{_HOST}:{port}{parts.path}"
        self._http = httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS, follow_redirects=False)

    def app(self) -> Starlette:
        """The ASGI app."""
        return Starlette(routes=[Route("/{path:path}", self._pass_on, methods=list(_METHODS))])

    async def close(self) -> None:
        """Close the connections to the server."""
        await self._http.aclose()

    async def _pass_on(self, request: Request) -> Response:
        target = self._server + request.scope["raw_path"].decode("latin-1")
        if query := request.scope["query_string"].decode("latin-1"):
            target += f"?{query}"
        # Not built by the client, which would add headers of its own.
        onward = httpx2.Request(
            request.method,
            target,
            headers=self._signed_in(request.headers.raw),
            content=await request.body(),
        )
        answer = await self._http.send(onward, stream=True)
        response = StreamingResponse(
            answer.aiter_raw(),
            status_code=answer.status_code,
            background=BackgroundTask(answer.aclose),
        )
        response.raw_headers = [
            (name.lower(), value)
            for name, value in answer.headers.raw
            if name.lower() not in _HOP_BY_HOP
        ]
        return response

    def _signed_in(self, headers: RawHeaders) -> RawHeaders:
        kept = [
            (name, self._renamed.get(value, value) if name in {b"host", b"origin"} else value)
            for name, value in headers
            if name not in _HOP_BY_HOP | {b"authorization", b"content-length"}
        ]
        return [*kept, (b"authorization", self._authorization)]


@contextlib.asynccontextmanager
async def running_relay(server_url: str, *, access_token: str) -> AsyncIterator[str]:
    """A relay on a free port; the address of the MCP endpoint as seen through it."""
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.bind((_HOST, 0))
    bound.listen(_BACKLOG)
    relay = Relay(server_url, access_token=access_token, port=bound.getsockname()[1])
    config = Config(relay.app(), lifespan="off", log_config=None, server_header=False)
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: H11Protocol(config, state, {}), sock=bound
    )
    try:
        yield relay.url
    finally:
        server.close()
        for connection in list(state.connections):
            connection.transport.abort()
        tasks = list(state.tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await relay.close()
