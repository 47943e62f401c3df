"""Places where a dependency should be and is not: one refuses, one takes calls and says nothing."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from enum import StrEnum


class Manner(StrEnum):
    """How something is away."""

    REFUSED = "refused"
    HANGING = "hanging"


@contextlib.asynccontextmanager
async def empty_place(manner: Manner) -> AsyncIterator[int]:
    """A loopback port of this manner, kept until the block ends."""
    async with _refusing() if manner is Manner.REFUSED else _hanging() as port:
        yield port


@contextlib.asynccontextmanager
async def _refusing() -> AsyncIterator[int]:
    # Bound, so that nobody else gets the port, and not listening.
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


@contextlib.asynccontextmanager
async def _hanging() -> AsyncIterator[int]:
    held: list[asyncio.StreamWriter] = []
    over = False

    def take(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if over:
            writer.transport.abort()
        held.append(writer)

    server = await asyncio.start_server(take, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        over = True
        server.close()
        for writer in held:
            writer.transport.abort()
        await server.wait_closed()
