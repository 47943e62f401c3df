"""Holds an answer's start back until its first byte, so that the status can still change.

Never delays a byte: start and first body part leave together.
"""

from collections.abc import Callable

from functions.mcp_endpoint.answers import Answer, Message, Send, send_answer
from functions.mcp_endpoint.call_state import CallState


class HeldResponse:
    """A ``send`` for one request; replaces the whole answer if the grant has died meanwhile."""

    def __init__(self, send: Send, *, state: CallState, replacement: Callable[[], Answer]) -> None:
        self._send = send
        self._state = state
        self._replacement = replacement
        self._start: Message | None = None
        self._over = False

    async def __call__(self, message: Message) -> None:
        """Pass one ASGI message on, or hold it, or drop it after a replacement."""
        if message["type"] == "http.response.start":
            # A second start is the SDK's answer to its own failed send: nobody can take it.
            self._over = self._over or self._state.response_started
            self._start = message
            return
        if self._over:
            return
        if self._start is None:
            await self._send(message)
            return
        if message.get("more_body", False) and not message.get("body"):
            return
        await self._begin(self._start, message)

    async def _begin(self, start: Message, body: Message) -> None:
        self._start = None
        self._state.response_started = True
        if self._state.withdrawn is not None:
            self._over = True
            await send_answer(self._replacement(), self._send)
            return
        await self._send(start)
        await self._send(body)
