"""A Function URL: HTTP in front of a function's environments.

Answers like the platform, in the platform's words; it must not know any function.
"""

import contextlib
import json
from collections.abc import AsyncIterator

import h11

from scripts.lambda_emulator.environment_pool import EnvironmentPool, ThrottledError
from scripts.lambda_emulator.http_connection import (
    BodyTooLargeError,
    HttpConnection,
    HttpServer,
    RequestHead,
    head,
)
from scripts.lambda_emulator.invocation import FunctionError, Invocation
from scripts.lambda_emulator.observer import Observer, Unobserved
from scripts.lambda_emulator.specification import (
    BUFFERED_RESPONSE_BYTES_MAX,
    REQUEST_BYTES_MAX,
    FunctionSpec,
)
from scripts.lambda_emulator.url_events import (
    PRELUDE_CONTENT_TYPE,
    PRELUDE_END,
    Caller,
    UrlAnswer,
    buffered_answer,
    request_event,
    streamed_answer,
    with_challenge_renamed,
)

_JSON = [("content-type", "application/json")]
FAILED = UrlAnswer(502, _JSON, b'{"message":"Internal Server Error"}')
TOO_LARGE = UrlAnswer(413, _JSON, b'{"message":"Request Entity Too Large"}')
THROTTLED = UrlAnswer(
    429,
    _JSON,
    b'{"Reason":"ConcurrentInvocationLimitExceeded","Type":"User","message":"Rate Exceeded."}',
)


class FunctionUrl:
    """The HTTP server of one function."""

    def __init__(
        self, spec: FunctionSpec, pool: EnvironmentPool, observer: Observer | None = None
    ) -> None:
        self._spec = spec
        self._observer = observer or Unobserved()
        self._pool = pool
        self._server = HttpServer(self._serve)
        self._port = 0

    async def listen(self) -> str:
        """Start; answers the URL without a trailing slash."""
        self._port = await self._server.listen(self._spec.host, self._spec.port)
        return f"http://{self._spec.host}:{self._port}"

    async def close(self) -> None:
        """Stop and drop all connections."""
        await self._server.close()

    async def _serve(self, connection: HttpConnection) -> None:
        while (request := await connection.next_request()) is not None:
            try:
                body = await connection.body(bytes_max=REQUEST_BYTES_MAX)
            except BodyTooLargeError:
                await _send_whole(connection, request, TOO_LARGE)
                continue
            await self._answer(connection, request, body)

    async def _answer(self, connection: HttpConnection, request: RequestHead, body: bytes) -> None:
        caller = Caller(connection.peer, self._spec.host, self._port)
        event = request_event(request, body, caller)
        try:
            invocation = await self._pool.invoke(json.dumps(event).encode())
        except ThrottledError:
            await self._send(connection, request, THROTTLED, _nothing())
            return
        except FunctionError:
            await self._send(connection, request, FAILED, _nothing())
            return
        rest = invocation.chunks()
        try:
            answer = await self._first_part(invocation, rest)
        except FunctionError:
            answer = FAILED
        except ValueError:
            await _drain(rest)
            answer = FAILED
        if self._spec.renames_challenge_header:
            answer = with_challenge_renamed(answer)
        await self._send(connection, request, answer, rest)

    async def _send(
        self,
        connection: HttpConnection,
        request: RequestHead,
        answer: UrlAnswer,
        rest: AsyncIterator[bytes],
    ) -> None:
        self._observer.answered(self._spec.name, answer.status)
        await _forward(connection, request, answer, rest)

    async def _first_part(self, invocation: Invocation, rest: AsyncIterator[bytes]) -> UrlAnswer:
        """The answer's head with the bytes at hand; more may follow in ``rest``.

        Raises:
            FunctionError: the function failed before it said anything.
            ValueError: what it said makes no answer.
        """
        begin = await anext(rest, b"")
        if invocation.kind == "buffered":
            whole = begin + b"".join([chunk async for chunk in rest])
            if self._spec.invoke_mode == "RESPONSE_STREAM":
                # The platform does not look into a value that it was asked to stream.
                return UrlAnswer(200, [("content-type", invocation.content_type)], whole)
            return buffered_answer(whole)
        if self._spec.invoke_mode == "BUFFERED":
            begin += b"".join([chunk async for chunk in rest])
            if len(begin) > BUFFERED_RESPONSE_BYTES_MAX:
                raise ValueError("larger than a buffered answer may be")
        if invocation.content_type != PRELUDE_CONTENT_TYPE:
            return UrlAnswer(200, [("content-type", invocation.content_type)], begin)
        while PRELUDE_END not in begin:
            if not (more := await anext(rest, b"")):
                raise ValueError("no prelude")
            begin += more
        prelude, _, first = begin.partition(PRELUDE_END)
        return streamed_answer(prelude, first)


async def _nothing() -> AsyncIterator[bytes]:
    nothing: tuple[bytes, ...] = ()
    for chunk in nothing:
        yield chunk


async def _send_whole(connection: HttpConnection, request: RequestHead, answer: UrlAnswer) -> None:
    await _forward(connection, request, answer, _nothing())


async def _forward(
    connection: HttpConnection, request: RequestHead, answer: UrlAnswer, rest: AsyncIterator[bytes]
) -> None:
    """Send an answer as it comes in; a broken one leaves the caller with a truncated response."""
    bodyless = request.method == "HEAD" or answer.status in {204, 304}
    try:
        await connection.send(head(answer.status, answer.headers))
        if answer.body and not bodyless:
            await connection.send(h11.Data(data=answer.body))
        async for chunk in rest:
            if not bodyless:
                await connection.send(h11.Data(data=chunk))
        await connection.send(h11.EndOfMessage())
    except (FunctionError, h11.LocalProtocolError):
        connection.abort()
    except OSError:
        # The caller has left. The function is not told and runs to its end.
        connection.abort()
        await _drain(rest)


async def _drain(rest: AsyncIterator[bytes]) -> None:
    with contextlib.suppress(FunctionError):
        async for _ in rest:
            pass
