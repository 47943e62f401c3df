"""Makes a Unix socket reachable as a TCP port of this machine, for programs in containers.

It must listen on loopback only: whoever reaches the port reaches what is behind the socket.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Final

_HOST: Final = "127.0.0.1"
_CHUNK_BYTES: Final = 65_536


@contextlib.asynccontextmanager
async def relayed(socket: Path) -> AsyncIterator[int]:
    """A free port that leads to ``socket``, as long as this lasts."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        inside_reader, inside_writer = await asyncio.open_unix_connection(socket)
        try:
            async with asyncio.TaskGroup() as directions:
                directions.create_task(_copy(reader, inside_writer))
                directions.create_task(_copy(inside_reader, writer))
        except* OSError:
            pass
        finally:
            for end in (writer, inside_writer):
                end.close()

    async with await asyncio.start_server(serve, _HOST, 0) as server:
        yield int(server.sockets[0].getsockname()[1])


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while chunk := await reader.read(_CHUNK_BYTES):
        writer.write(chunk)
        await writer.drain()
    with contextlib.suppress(OSError):
        writer.write_eof()
