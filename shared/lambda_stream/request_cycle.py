"""One request through an ASGI app: the receive and send that the app talks to.

It must not interpret the response beyond what its transport needs.
"""

import asyncio
from typing import Any

from shared.lambda_stream.answers import SMALLEST_BODY, Answer
from shared.lambda_stream.http_events import ResponseHead
from shared.lambda_stream.lifespan import AsgiApp, Message


class IncompleteResponseError(Exception):
    """The app returned before its response was whole."""


class UnexpectedMessageError(Exception):
    """The app sent a message that has no place here."""


class RequestCycle:
    """Runs the app for one request and forwards its response to ``answer``."""

    def __init__(self, app: AsgiApp, scope: dict[str, Any], body: bytes, answer: Answer) -> None:
        self._app = app
        self._scope = scope
        self._body: bytes | None = body
        self._answer = answer
        self._head: ResponseHead | None = None
        self._begun = False
        self._complete = asyncio.Event()

    @property
    def complete(self) -> bool:
        """Whether the response is whole."""
        return self._complete.is_set()

    async def run(self) -> None:
        """Run the app until it returns.

        Raises:
            IncompleteResponseError: it returned without a whole response.
        """
        await self._app(self._scope, self._receive, self._send)
        if not self.complete:
            raise IncompleteResponseError

    async def _receive(self) -> Message:
        if self._body is not None:
            body, self._body = self._body, None
            return {"type": "http.request", "body": body, "more_body": False}
        # A caller that leaves is never signalled on Lambda: the end of the response is the only
        # disconnect there is.
        await self._complete.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start" and self._head is None:
            self._head = ResponseHead.from_asgi(message)
        elif message["type"] == "http.response.body" and self._head and not self.complete:
            await self._forward(self._head, message)
        else:
            raise UnexpectedMessageError(message["type"])

    async def _forward(self, head: ResponseHead, message: Message) -> None:
        more = message.get("more_body", False)
        body = message.get("body", b"") if head.allows_body(self._scope["method"]) else b""
        if not self._begun and (body or not more):
            await self._begin(head, body)
        elif body:
            await self._answer.write(body)
        if not more:
            await self._answer.finish()
            self._complete.set()

    async def _begin(self, head: ResponseHead, first: bytes) -> None:
        self._begun = True
        if not first and head.allows_body(self._scope["method"]):
            head, first = head.without("content-length"), SMALLEST_BODY
        await self._answer.begin(head, first)
