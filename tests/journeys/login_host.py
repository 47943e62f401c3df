"""A site whose login is on another host: its front sends browsers on, and is the site otherwise."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

_AUTHORIZE = b"GET /oauth/authorize?"
_CHUNK_BYTES = 65_536


@asynccontextmanager
async def front_with_another_login_host(site_url: str) -> AsyncIterator[str]:
    """The front's origin; it redirects authorization requests to ``site_url``."""
    port = urlsplit(site_url).port

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(_AUTHORIZE):
            target = head.split(b" ", 2)[1]
            writer.write(
                b"HTTP/1.1 302 Found\r\nconnection: close\r\ncontent-length: 0\r\n"
                b"location: %s%s\r\n\r\n" % (site_url.encode(), target)
            )
        else:
            upstream = await asyncio.open_connection("127.0.0.1", port)
            upstream[1].write(head)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, upstream[1]))
                both.create_task(_pump(upstream[0], writer))
        with suppress(ConnectionError):
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "localhost", 0)
    async with server:
        yield f"http://localhost:{server.sockets[0].getsockname()[1]}"


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while chunk := await reader.read(_CHUNK_BYTES):
            writer.write(chunk)
            await writer.drain()
    writer.close()
