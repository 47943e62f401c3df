"""An HTTP/1.1 server connection: h11 on asyncio streams.

It must not know what the requests are about.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass

import h11

READ_BYTES = 65_536
HEAD_BYTES_MAX = 262_144
"""Head or trailers of one message; the Runtime API carries errors and traces in headers."""

Headers = list[tuple[bytes, bytes]]


class BodyTooLargeError(Exception):
    """The message's body is larger than allowed."""


@dataclass(frozen=True)
class RequestHead:
    """Method, target and headers of a request."""

    method: str
    target: str
    headers: Headers

    def header(self, name: str) -> str | None:
        """The first value of the header ``name`` (lower case)."""
        wanted = name.encode("latin-1")
        return next((value.decode("latin-1") for key, value in self.headers if key == wanted), None)


class HttpConnection:
    """One connection that a server has accepted."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._h11 = h11.Connection(h11.SERVER, max_incomplete_event_size=HEAD_BYTES_MAX)
        self.peer: str = writer.get_extra_info("peername")[0]
        self.trailers: Headers = []

    async def next_request(self) -> RequestHead | None:
        """The next request's head; None when the connection is over."""
        if self._h11.our_state is h11.DONE and self._h11.their_state is h11.DONE:
            self._h11.start_next_cycle()
        if self._h11.our_state is not h11.IDLE:
            return None
        try:
            event = await self._next_event()
        except (h11.RemoteProtocolError, OSError):
            return None
        if not isinstance(event, h11.Request):
            return None
        return RequestHead(
            event.method.decode(), event.target.decode("latin-1"), list(event.headers)
        )

    async def body_chunks(self) -> AsyncIterator[bytes]:
        """The body as it arrives; afterwards ``trailers`` is set.

        Raises:
            ConnectionError: the peer left before the end.
        """
        if self._h11.they_are_waiting_for_100_continue:
            await self.send(h11.InformationalResponse(status_code=100, headers=[]))
        while True:
            try:
                event = await self._next_event()
            except h11.RemoteProtocolError as error:
                raise ConnectionError("incomplete body") from error
            if isinstance(event, h11.Data):
                yield bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                self.trailers = list(event.headers)
                return
            else:
                raise ConnectionError("incomplete body")

    async def body(self, *, bytes_max: int) -> bytes:
        """The whole body.

        Raises:
            BodyTooLargeError: it is longer than ``bytes_max``; the rest was read and dropped.
            ConnectionError: the peer left before the end.
        """
        body = bytearray()
        length = 0
        async for chunk in self.body_chunks():
            length += len(chunk)
            if length <= bytes_max:
                body += chunk
        if length > bytes_max:
            raise BodyTooLargeError
        return bytes(body)

    async def respond(
        self, status: int, headers: Iterable[tuple[str, str]] = (), body: bytes = b""
    ) -> None:
        """Send a whole response."""
        listed = [*headers, ("content-length", str(len(body)))]
        await self.send(head(status, listed), h11.Data(data=body), h11.EndOfMessage())

    async def send(self, *events: h11.Event) -> None:
        """Send parts of a response; waits while the peer is behind.

        Raises:
            OSError: the peer has gone.
        """
        for event in events:
            data = self._h11.send(event)
            if data:
                self._writer.write(data)
        await self._writer.drain()

    def abort(self) -> None:
        """Drop the connection, so that the peer notices that the message is not whole."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """Close the connection."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def _next_event(self) -> h11.Event | None:
        """The next event; None where the protocol allows none before we have answered."""
        while True:
            event = self._h11.next_event()
            if isinstance(event, h11.Event):
                return event
            if event is h11.PAUSED:
                return None
            self._h11.receive_data(await self._reader.read(READ_BYTES))


def head(status: int, headers: Iterable[tuple[str, str]]) -> h11.Response:
    """The head of a response."""
    encoded = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return h11.Response(status_code=status, headers=encoded)


class HttpServer:
    """A listening socket whose connections are handled by ``serve``, and closed with it."""

    def __init__(self, serve: Callable[[HttpConnection], Awaitable[None]]) -> None:
        self._serve = serve
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: asyncio.Server | None = None

    async def listen(self, host: str, port: int) -> int:
        """Listen; the port in use is returned."""
        self._server = await asyncio.start_server(self._accept, host, port)
        bound: int = self._server.sockets[0].getsockname()[1]
        return bound

    async def close(self) -> None:
        """Stop listening and drop every connection."""
        if self._server is not None:
            self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.wait_closed()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("connections are accepted by tasks")
        self._tasks.add(task)
        connection = HttpConnection(reader, writer)
        try:
            await self._serve(connection)
        except OSError:
            connection.abort()
        except asyncio.CancelledError:
            # The server is closing; nobody awaits this task's outcome.
            connection.abort()
        finally:
            self._tasks.discard(task)
            await connection.close()
