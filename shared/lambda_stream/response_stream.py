"""One streamed answer on its way to the Lambda Runtime API.

Speaks the runtime's side of response streaming: chunked transfer with error trailers. It must
never send a zero-length chunk, which would end the answer.
"""

import asyncio
from dataclasses import dataclass
from enum import Enum, auto

from shared.lambda_stream.http_events import PRELUDE_CONTENT_TYPE

CONNECT_SECONDS_MAX = 2.0
FAIL_SECONDS_MAX = 0.5
"""How long the last words of a failed answer may take: little time is left by then."""

_ERROR_TYPE = "Lambda-Runtime-Function-Error-Type"
_ERROR_BODY = "Lambda-Runtime-Function-Error-Body"


class RuntimeApiError(Exception):
    """The Lambda Runtime API did not accept a streamed answer."""


class _State(Enum):
    NEW = auto()
    OPEN = auto()
    CLOSED = auto()


@dataclass(frozen=True)
class InvocationAddress:
    """Where the answer of one invocation goes."""

    runtime_api: str
    """Host and port of the Runtime API."""
    request_id: str
    invocation_id: str | None
    """Echoed when the platform sent one."""


class ResponseStream:
    """Forwards an answer as it is produced; ``write`` waits while the platform is behind."""

    def __init__(self, address: InvocationAddress) -> None:
        self._address = address
        self._state = _State.NEW
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    @property
    def begun(self) -> bool:
        """Whether the platform has heard of this answer."""
        return self._state is not _State.NEW

    @property
    def closed(self) -> bool:
        """Whether nothing more can be said."""
        return self._state is _State.CLOSED

    async def begin(self, first: bytes) -> None:
        """Open the answer with its prelude (and first bytes).

        Raises:
            RuntimeApiError: the Runtime API is not there.
        """
        host, _, port = self._address.runtime_api.rpartition(":")
        try:
            async with asyncio.timeout(CONNECT_SECONDS_MAX):
                self._reader, self._writer = await asyncio.open_connection(host, int(port))
        except OSError as error:
            raise RuntimeApiError("connect") from error
        self._state = _State.OPEN
        await self._send(self._request_head() + _chunk(first))

    async def write(self, data: bytes) -> None:
        """Forward ``data``; returns once the platform keeps up.

        Raises:
            RuntimeApiError: the connection broke.
        """
        if data:
            await self._send(_chunk(data))

    async def finish(self) -> None:
        """End the answer and wait until the platform has accepted it, however slow its reader.

        Raises:
            RuntimeApiError: it was not accepted.
        """
        await self._end(b"0\r\n\r\n")

    async def fail(self, error_type: str, error_body: str) -> None:
        """End a begun answer with error trailers: the caller sees a truncated stream.

        ``error_body`` is base64 text, as the trailer wants it.

        Raises:
            RuntimeApiError: it was not accepted.
            TimeoutError: not within ``FAIL_SECONDS_MAX``, because the caller does not read.
        """
        trailers = f"0\r\n{_ERROR_TYPE}: {error_type}\r\n{_ERROR_BODY}: {error_body}\r\n\r\n"
        async with asyncio.timeout(FAIL_SECONDS_MAX):
            await self._end(trailers.encode("latin-1"))

    def abort(self) -> None:
        """Drop the connection; what was not acknowledged is lost."""
        if self._state is _State.OPEN:
            self._writer.transport.abort()
        self._state = _State.CLOSED

    def _request_head(self) -> bytes:
        lines = [
            f"POST /2018-06-01/runtime/invocation/{self._address.request_id}/response HTTP/1.1",
            f"Host: {self._address.runtime_api}",
            f"Content-Type: {PRELUDE_CONTENT_TYPE}",
            "Lambda-Runtime-Function-Response-Mode: streaming",
            "Transfer-Encoding: chunked",
            f"Trailer: {_ERROR_TYPE}, {_ERROR_BODY}",
        ]
        if self._address.invocation_id:
            lines.append(f"Lambda-Runtime-Invocation-Id: {self._address.invocation_id}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1")

    async def _send(self, data: bytes) -> None:
        if self._state is not _State.OPEN:
            raise RuntimeApiError("write after the end")
        try:
            self._writer.write(data)
            await self._writer.drain()
        except OSError as error:
            self.abort()
            raise RuntimeApiError("write") from error

    async def _end(self, last: bytes) -> None:
        try:
            await self._send(last)
            response_head = await self._reader.readuntil(b"\r\n\r\n")
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            raise RuntimeApiError("end") from error
        finally:
            self.abort()
        if response_head.split(maxsplit=2)[1] != b"202":
            raise RuntimeApiError("refused")


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)
