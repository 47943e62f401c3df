"""The Lambda Runtime API of one environment, on a loopback port of its own.

Hands out one invocation at a time and takes its answer; it must not decide what becomes of the
environment.
"""

import asyncio
import base64
import json
from collections.abc import Awaitable, Callable

from scripts.lambda_emulator.http_connection import (
    BodyTooLargeError,
    HttpConnection,
    HttpServer,
    RequestHead,
)
from scripts.lambda_emulator.invocation import FunctionError, Invocation
from scripts.lambda_emulator.specification import BUFFERED_RESPONSE_BYTES_MAX

_ROOT = "/2018-06-01/runtime/"
_ERROR_TYPE = "lambda-runtime-function-error-type"
_ERROR_BODY = "lambda-runtime-function-error-body"
_MODE = "lambda-runtime-function-response-mode"


class RuntimeApi:
    """What the runtime in an environment talks to."""

    def __init__(self) -> None:
        self._server = HttpServer(self._serve)
        self._delivery: asyncio.Queue[Invocation] = asyncio.Queue(1)
        self._current: Invocation | None = None
        self.idle = asyncio.Event()
        """Set while the runtime waits for an invocation."""
        self.init_failed = asyncio.Event()

    async def listen(self) -> str:
        """Start; answers host and port."""
        return f"127.0.0.1:{await self._server.listen('127.0.0.1', 0)}"

    async def close(self) -> None:
        """Stop and drop the runtime's connections."""
        await self._server.close()

    def deliver(self, invocation: Invocation) -> None:
        """Hand ``invocation`` to the waiting runtime."""
        self.idle.clear()
        self._current = invocation
        self._delivery.put_nowait(invocation)

    async def _serve(self, connection: HttpConnection) -> None:
        while (request := await connection.next_request()) is not None:
            await self._route(request)(connection, request)

    def _route(
        self, request: RequestHead
    ) -> Callable[[HttpConnection, RequestHead], Awaitable[None]]:
        target = request.target.removeprefix(_ROOT)
        current = self._current.request_id if self._current else ""
        routes = {
            ("GET", "invocation/next"): self._next,
            ("POST", f"invocation/{current}/response"): self._response,
            ("POST", f"invocation/{current}/error"): self._error,
            ("POST", "init/error"): self._failed_start,
            ("GET", "restore/next"): self._restore_next,
            ("POST", "restore/error"): self._failed_start,
        }
        return routes.get((request.method, target), _unknown)

    async def _next(self, connection: HttpConnection, _request: RequestHead) -> None:
        await connection.body(bytes_max=0)
        self._current = None
        self.idle.set()
        invocation = await self._delivery.get()
        await connection.respond(200, invocation.runtime_headers(), invocation.payload)

    async def _response(self, connection: HttpConnection, request: RequestHead) -> None:
        invocation = self._running()
        content_type = request.header("content-type") or "application/octet-stream"
        if request.header(_MODE) == "streaming":
            invocation.begin("streaming", content_type)
            await _stream(connection, invocation)
            await _accept(connection)
            return
        invocation.begin("buffered", content_type)
        try:
            body = await connection.body(bytes_max=BUFFERED_RESPONSE_BYTES_MAX)
        except BodyTooLargeError:
            await invocation.end(FunctionError("Function.ResponseSizeTooLarge"))
            await connection.respond(413)
            return
        await invocation.feed(body)
        await invocation.end()
        await _accept(connection)

    async def _error(self, connection: HttpConnection, request: RequestHead) -> None:
        body = await connection.body(bytes_max=BUFFERED_RESPONSE_BYTES_MAX)
        error_type = request.header(_ERROR_TYPE) or _type_in(body)
        await self._running().end(FunctionError(error_type, body.decode()))
        await _accept(connection)

    async def _failed_start(self, connection: HttpConnection, _request: RequestHead) -> None:
        await connection.body(bytes_max=BUFFERED_RESPONSE_BYTES_MAX)
        self.init_failed.set()
        await _accept(connection)

    async def _restore_next(self, connection: HttpConnection, _request: RequestHead) -> None:
        await connection.body(bytes_max=0)
        await connection.respond(200)

    def _running(self) -> Invocation:
        if self._current is None:
            raise RuntimeError("routed without an invocation")
        return self._current


async def _stream(connection: HttpConnection, invocation: Invocation) -> None:
    """Pass a streamed answer on; a broken connection ends nothing: the environment's fate does."""
    async for chunk in connection.body_chunks():
        await invocation.feed(chunk)
    trailers = {name.decode("latin-1"): value for name, value in connection.trailers}
    if _ERROR_TYPE in trailers:
        details = base64.b64decode(trailers.get(_ERROR_BODY, b"")).decode()
        await invocation.end(FunctionError(trailers[_ERROR_TYPE].decode("latin-1"), details))
    else:
        await invocation.end()


async def _accept(connection: HttpConnection) -> None:
    await connection.respond(202, [("content-type", "application/json")], b'{"status":"OK"}')


async def _unknown(connection: HttpConnection, _request: RequestHead) -> None:
    await connection.body(bytes_max=BUFFERED_RESPONSE_BYTES_MAX)
    body = b'{"errorMessage":"Invalid request","errorType":"InvalidRequest"}'
    await connection.respond(403, [("content-type", "application/json")], body)


def _type_in(body: bytes) -> str:
    try:
        return str(json.loads(body)["errorType"])
    except (ValueError, KeyError, TypeError):
        return "Unhandled"
