"""What a handler wears on Lambda, around an app that serves many requests at once.

A request has as long as a function would have. It must not answer in words of the server's own:
what crashes or runs out of time is answered by the catalogue, as long as nothing has been said.
"""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Final

from functions.mcp_endpoint.answers import AsgiApp, Receive, Scope, Send
from functions.mcp_endpoint.composition import refusing
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability import request_context
from shared.observability.instrument import InvocationError, recorded, settle

REQUEST_SECONDS_MAX: Final = 60.0


class RequestFailedError(ServiceError):
    """The app crashed; its log line says how."""

    code: ClassVar[ErrorCode] = ErrorCode.INTERNAL_ERROR


class OutOfTimeError(ServiceError):
    """The app was stopped because the request had taken as long as any may."""

    code: ClassVar[ErrorCode] = ErrorCode.DEADLINE_EXCEEDED


class ObservedDoor:
    """The ASGI app of a container's door."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        function: str,
        https: bool,
        request_seconds_max: float = REQUEST_SECONDS_MAX,
    ) -> None:
        self._app = app
        self._function = function
        self._https = https
        self._seconds_max = request_seconds_max

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one ASGI connection."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        with self._request(scope):
            answer = _WatchedAnswer(send)
            try:
                await self._recorded(scope, receive, answer)
            except ServiceError as error:
                await self._last_words(error, scope, answer)
            finally:
                settle(background=False)

    @contextmanager
    def _request(self, scope: Scope) -> Iterator[None]:
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        with request_context.begin_request(
            function=self._function,
            correlation_id=request_context.correlation_id_from(headers),
            trace=request_context.trace_from(headers),
            remaining_seconds=self._seconds_max,
        ):
            yield

    async def _recorded(self, scope: Scope, receive: Receive, answer: "_WatchedAnswer") -> None:
        time_limit = asyncio.timeout(self._seconds_max)
        try:
            with recorded(trigger="http", method=scope["method"], path=scope["path"]):
                try:
                    async with time_limit:
                        await self._app(scope, receive, answer)
                except TimeoutError:
                    if not time_limit.expired():
                        raise
                request_context.note(status=answer.status)
        except InvocationError:
            raise RequestFailedError from None
        if time_limit.expired():
            raise OutOfTimeError

    async def _last_words(
        self, error: ServiceError, scope: Scope, answer: "_WatchedAnswer"
    ) -> None:
        if answer.status is None:
            await refusing(error, https=self._https)(scope, _nothing_more, answer)
        else:
            # Cut short: the client sees a broken answer, not a whole one that lacks something.
            raise error


class _WatchedAnswer:
    """A ``send`` that knows whether the answer has begun, and how."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.status: int | None = None

    async def __call__(self, message: Any) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
        await self._send(message)


async def _nothing_more() -> Any:
    return {"type": "http.disconnect"}
