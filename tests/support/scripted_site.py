"""A server that answers with exactly the bytes a test gives it: what no decent server sends."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

HANG = b"<hang>"
"""Instead of an answer: nothing, until the other side hangs up."""


@dataclass(slots=True)
class ScriptedSite:
    """Answers in order, the last one again and again; requests as they came."""

    url: str = ""
    answers: list[bytes] = field(default_factory=list)
    requests: list[bytes] = field(default_factory=list)
    connections: int = 0
    on_answer: Callable[[], None] = lambda: None
    """Called just before an answer is sent."""

    def next_answer(self) -> bytes:
        """The answer to the request that has just arrived."""
        self.on_answer()
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def http(status: int, body: bytes | str = b"", **headers: str) -> bytes:
    """A well-formed answer; header names with underscores."""
    content = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + content


async def _read_request(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


async def _serve(
    site: ScriptedSite, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    site.connections += 1
    try:
        while True:
            site.requests.append(await _read_request(reader))
            answer = site.next_answer()
            if answer == HANG:
                await reader.read()
                break
            writer.write(answer)
            await writer.drain()
            if b"content-length" not in answer.lower():
                break
    except (ConnectionError, asyncio.IncompleteReadError):
        pass  # the other side has left
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


@contextlib.asynccontextmanager
async def scripted_site(*answers: bytes) -> AsyncIterator[ScriptedSite]:
    """A server on a free loopback port; ends with the block, whoever is still connected."""
    site = ScriptedSite(answers=list(answers))
    serving: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        serving.add(asyncio.create_task(_serve(site, reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    site.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield site
    finally:
        server.close()
        for task in serving:
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)
