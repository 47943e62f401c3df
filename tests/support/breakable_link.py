"""A TCP link to a Postgres server that can go silent, be cut, or lose one answer.

It must never reach anything but the one address it was made for.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Final

_READ_BYTES: Final = 65_536


class BreakableLink:
    """Passes bytes both ways; ``accepted`` counts the connections made through it."""

    def __init__(self, host: str, port: int) -> None:
        self.port = 0
        self.accepted = 0
        self._target = (host, port)
        self._fatal: bytes | None = None
        self._cut: set[asyncio.StreamWriter] = set()
        self._silent: set[asyncio.StreamWriter] = set()
        self._open: set[asyncio.StreamWriter] = set()
        self._serving: set[asyncio.Task[None]] = set()

    def cut_after(self, request: bytes) -> None:
        """Pass on the next request that contains this, and cut the link when it is answered."""
        self._fatal = request

    def silence(self) -> None:
        """Pass nothing more on what is open now, and close nothing."""
        self._silent |= self._open

    async def serve(self, client: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        """One connection, until either side closes it."""
        self.accepted += 1
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        server, forth = await self._connect()
        self._open |= {back, forth}
        try:
            async with asyncio.TaskGroup() as group:
                group.create_task(self._requests(client, forth, back))
                group.create_task(self._pass_on(server, back))
        finally:
            self._serving.discard(task)
            self._open -= {back, forth}
            back.close()
            forth.close()

    async def stop(self) -> None:
        """Close whatever is still open."""
        for writer in list(self._open):
            writer.transport.abort()
        for task in list(self._serving):
            task.cancel()
        await asyncio.gather(*self._serving, return_exceptions=True)

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        host, port = self._target
        if host.startswith("/"):
            return await asyncio.open_unix_connection(f"{host}/.s.PGSQL.{port}")
        return await asyncio.open_connection(host, port)

    async def _requests(
        self, client: asyncio.StreamReader, forth: asyncio.StreamWriter, back: asyncio.StreamWriter
    ) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await client.read(_READ_BYTES):
                if self._fatal is not None and self._fatal in data:
                    self._fatal = None
                    self._cut.add(back)
                await self._write(forth, data)
        forth.close()

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await source.read(_READ_BYTES):
                await self._write(sink, data)
        sink.close()

    async def _write(self, sink: asyncio.StreamWriter, data: bytes) -> None:
        if sink in self._cut:
            sink.transport.abort()
        elif sink not in self._silent:
            sink.write(data)
            await sink.drain()


@contextlib.asynccontextmanager
async def breakable_link(host: str, port: int) -> AsyncIterator[BreakableLink]:
    """A link on a free loopback port; ``host`` may be the folder of a Unix socket, as in libpq."""
    link = BreakableLink(host, port)
    server = await asyncio.start_server(link.serve, "127.0.0.1", 0)
    link.port = server.sockets[0].getsockname()[1]
    try:
        yield link
    finally:
        server.close()
        await link.stop()
