"""One invocation: what the function is given, and its answer as it comes in.

The answer passes through a short queue, so that a slow reader slows the function down; it must
not be collected here unless asked for.
"""

import asyncio
import time
import uuid
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Literal

QUEUED_CHUNKS_MAX = 4

AnswerKind = Literal["streaming", "buffered"]


class FunctionError(Exception):
    """The function failed: it reported an error, died, or ran out of time."""

    def __init__(self, error_type: str, details: str = "") -> None:
        super().__init__(error_type)
        self.error_type = error_type
        self.details = details
        """What the function reported, as JSON text."""


@dataclass
class Invocation:
    """A payload on its way to a function and the answer on its way back."""

    payload: bytes
    function_arn: str
    timeout_seconds: float
    sampled: bool = False
    """Whether X-Ray is told to keep the trace."""
    request_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    kind: AnswerKind = "buffered"
    content_type: str = "application/json"
    ended: bool = False
    """Whether the answer is whole or has failed."""
    _chunks: deque[bytes] = field(default_factory=deque, init=False, repr=False)
    _failure: FunctionError | None = field(default=None, init=False)
    _changed: asyncio.Condition = field(default_factory=asyncio.Condition, init=False, repr=False)

    @property
    def has_failed(self) -> bool:
        """Whether it ended with an error."""
        return self._failure is not None

    def runtime_headers(self) -> list[tuple[str, str]]:
        """The headers under which the Runtime API hands the payload out."""
        deadline_ms = int((time.time() + self.timeout_seconds) * 1000)
        trace = self.request_id.replace("-", "")
        return [
            ("content-type", "application/json"),
            ("Lambda-Runtime-Aws-Request-Id", self.request_id),
            ("Lambda-Runtime-Deadline-Ms", str(deadline_ms)),
            ("Lambda-Runtime-Invoked-Function-Arn", self.function_arn),
            (
                "Lambda-Runtime-Trace-Id",
                f"Root=1-{trace[:8]}-{trace[8:]};Parent={trace[16:]};Sampled={int(self.sampled)}",
            ),
        ]

    def begin(self, kind: AnswerKind, content_type: str) -> None:
        """The function has begun to answer; set before the first chunk is fed."""
        self.kind, self.content_type = kind, content_type

    async def feed(self, chunk: bytes) -> None:
        """A part of the answer; waits while the reader is behind."""
        async with self._changed:
            await self._changed.wait_for(
                lambda: self.ended or len(self._chunks) < QUEUED_CHUNKS_MAX
            )
            if not self.ended:
                self._chunks.append(chunk)
                self._changed.notify_all()

    async def end(self, failure: FunctionError | None = None) -> None:
        """The answer is whole, or failed; only the first end counts."""
        async with self._changed:
            if not self.ended:
                self.ended, self._failure = True, failure
                self._changed.notify_all()

    async def chunks(self) -> AsyncIterator[bytes]:
        """The answer as it comes in.

        Raises:
            FunctionError: there is none, or it breaks off.
        """
        while True:
            async with self._changed:
                await self._changed.wait_for(lambda: bool(self._chunks) or self.ended)
                if not self._chunks:
                    break
                chunk = self._chunks.popleft()
                self._changed.notify_all()
            yield chunk
        if self._failure is not None:
            raise self._failure

    async def collect(self) -> bytes:
        """The whole answer.

        Raises:
            FunctionError: there is none, or it breaks off.
        """
        return b"".join([chunk async for chunk in self.chunks()])
