"""Where an ASGI app's response goes: streamed as it is produced, or collected into one object.

Both hold the head back until the first byte of the body or the end, so that an error found late
can still choose its status; neither may ever forward an empty piece.
"""

from typing import Any, Protocol

from shared.lambda_stream.http_events import ResponseHead, buffered_answer
from shared.lambda_stream.response_stream import ResponseStream

SMALLEST_BODY = b"\n"
"""Sent where an app sends nothing: answers without any byte are known to hang on Function URLs."""

_EVENT_STREAM = "text/event-stream"
_EVENT_END = b"\n\n"


class Answer(Protocol):
    """The far end of one response."""

    @property
    def begun(self) -> bool:
        """Whether the caller may have seen something of it."""

    async def begin(self, head: ResponseHead, first: bytes) -> None:
        """Send the head and the first bytes of the body (none where HTTP forbids a body)."""

    async def write(self, data: bytes) -> None:
        """Send more of the body; ``data`` is not empty."""

    async def finish(self) -> None:
        """The response is whole."""

    def result(self) -> dict[str, Any]:
        """What the handler returns to the runtime."""


class StreamedAnswer:
    """Forwards every piece at once and waits while the platform is behind."""

    def __init__(self, stream: ResponseStream, *, event_bytes_min: int = 0) -> None:
        self._stream = stream
        self._event_bytes_min = event_bytes_min
        self._pads = False
        self._status = 0

    @property
    def begun(self) -> bool:
        """Whether the caller may have seen something of it."""
        return self._stream.begun

    async def begin(self, head: ResponseHead, first: bytes) -> None:
        """Send prelude and first bytes in one piece."""
        self._status = head.status
        self._pads = (head.header("content-type") or "").startswith(_EVENT_STREAM)
        await self._stream.begin(head.as_prelude() + self._padded(first))

    async def write(self, data: bytes) -> None:
        """Send more of the body."""
        await self._stream.write(self._padded(data))

    async def finish(self) -> None:
        """End the stream."""
        await self._stream.finish()

    def result(self) -> dict[str, Any]:
        """A note for decorators that look at the status; the runtime client does not send it."""
        return {"statusCode": self._status, "streamed": True}

    def _padded(self, data: bytes) -> bytes:
        """Fill small server-sent events up with a comment, which every client skips."""
        missing = self._event_bytes_min - len(data)
        if not self._pads or missing <= 0 or not data.endswith(_EVENT_END):
            return data
        return data + b":" + b" " * missing + _EVENT_END


class BufferedAnswer:
    """Collects the response for a runtime that takes return values."""

    def __init__(self) -> None:
        self._head: ResponseHead
        self._body = bytearray()

    @property
    def begun(self) -> bool:
        """Always False: the caller sees nothing before the handler returns."""
        return False

    async def begin(self, head: ResponseHead, first: bytes) -> None:
        """Keep the head and the first bytes, in place of any kept before."""
        self._head = head
        self._body = bytearray(first)

    async def write(self, data: bytes) -> None:
        """Keep more of the body."""
        self._body += data

    async def finish(self) -> None:
        """Nothing to do: the handler's return value ends it."""

    def result(self) -> dict[str, Any]:
        """The whole answer in payload format 2.0."""
        return buffered_answer(self._head, bytes(self._body))
