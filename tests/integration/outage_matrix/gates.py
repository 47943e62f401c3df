"""Gates in front of the real parts, which make them be away in every manner.

Only bytes: what the functions should answer stands in ``scripts.outages``.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from scripts.outages import Fault

SLOW_SECONDS: Final = 0.03
"""How late a slow part answers: noticed by everybody, too late for nobody."""
OVERSIZED_BYTES: Final = 400_000
"""More than any answer that the tests' settings let through."""
CANARY: Final = "canary-of-a-broken-part"
"""In every body that a broken part sends; never in an answer of ours."""
_READ_BYTES: Final = 65_536
_SSL_REQUEST: Final = 8
"""Bytes of the message by which libpq asks for TLS, before the real start."""


@dataclass
class Gate:
    """Lets connections through to ``target`` until a fault is set."""

    host: str
    """A name, or the folder of a Unix socket as in libpq."""
    port_behind: int
    port: int = 0
    fault: Fault | None = None
    calls: int = 0

    @property
    def url(self) -> str:
        """Where it is reached, by HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def next_fault(self) -> Fault | None:
        """What the call that has just begun meets."""
        self.calls += 1
        if self.fault is Fault.HALF:
            return Fault.SERVER_ERROR if self.calls % 2 else None
        return self.fault

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """To what stands behind."""
        if self.host.startswith("/"):
            return await asyncio.open_unix_connection(f"{self.host}/.s.PGSQL.{self.port_behind}")
        return await asyncio.open_connection(self.host, self.port_behind)


Serve = Callable[[Gate, asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http_gate(target: str) -> contextlib.AbstractAsyncContextManager[Gate]:
    """In front of a server that speaks HTTP: a fault is one of a request."""
    address = urlsplit(target)
    assert address.hostname is not None
    assert address.port is not None
    return _gate(Gate(address.hostname, address.port), _serve_http)


def postgres_gate(host: str, port: int) -> contextlib.AbstractAsyncContextManager[Gate]:
    """In front of Postgres: a fault is one of a connection."""
    return _gate(Gate(host, port), _serve_postgres)


@contextlib.asynccontextmanager
async def _gate(gate: Gate, serve: Serve) -> AsyncIterator[Gate]:
    serving: set[asyncio.Task[None]] = set()

    async def one(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
                await serve(gate, reader, writer)
        finally:
            writer.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(one(reader, writer))
        serving.add(task)
        task.add_done_callback(serving.discard)

    server = await asyncio.start_server(accept, "127.0.0.1", 0)
    gate.port = server.sockets[0].getsockname()[1]
    try:
        yield gate
    finally:
        server.close()
        for task in list(serving):
            task.cancel()
        await asyncio.gather(*serving, return_exceptions=True)


async def _serve_http(
    gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    while True:
        request = await _http_message(reader)
        fault = gate.next_fault()
        if fault is Fault.REFUSED:
            return
        if fault is Fault.HANG:
            await reader.read()
            return
        if fault is Fault.SLOW:
            await asyncio.sleep(SLOW_SECONDS)
        broken = None if fault is None else BROKEN_ANSWERS.get(fault)
        writer.write(await _passed_on(gate, request) if broken is None else broken)
        await writer.drain()
        if fault is Fault.TRUNCATED:
            return


async def _passed_on(gate: Gate, request: bytes) -> bytes:
    reader, writer = await gate.connect()
    try:
        writer.write(request)
        return await _http_message(reader)
    finally:
        writer.close()


async def _http_message(reader: asyncio.StreamReader) -> bytes:
    head = await reader.readuntil(b"\r\n\r\n")
    length = 0
    for line in head.lower().split(b"\r\n"):
        if line.startswith(b"content-length:"):
            length = int(line.split(b":")[1])
    return head + await reader.readexactly(length)


def _http(status: int, body: str, *, kind: str = "text/html", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n{more}"
    return f"{head}\r\n{body}".encode()


BROKEN_ANSWERS: Final = {
    Fault.SERVER_ERROR: _http(503, f"<html>{CANARY}</html>"),
    Fault.RATE_LIMITED: _http(429, CANARY, more="Retry-After: 7\r\n"),
    Fault.TRUNCATED: _http(200, '{"client_id": "' + CANARY + '"}', kind="application/json")[:-4],
    Fault.OVERSIZED: _http(200, CANARY + " " * OVERSIZED_BYTES, kind="application/json"),
    Fault.HTML: _http(200, f"<html>{CANARY}</html>"),
    Fault.REDIRECT: _http(302, CANARY, more="Location: /install.php\r\n"),
}


async def _serve_postgres(
    gate: Gate, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    fault = gate.next_fault()
    if fault is Fault.REFUSED:
        return
    if fault is Fault.HANG:
        await reader.read()
        return
    if fault in _POSTGRES_STATES:
        await _refuse_to_start(reader, writer, _POSTGRES_STATES[fault])
        return
    if fault is Fault.SLOW:
        await asyncio.sleep(SLOW_SECONDS)
    behind, forth = await gate.connect()
    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(_copy(reader, forth))
            group.create_task(_copy(behind, writer, cut=fault is Fault.TRUNCATED))
    finally:
        forth.transport.abort()


_POSTGRES_STATES: Final = {
    Fault.SERVER_ERROR: "57P03",  # cannot_connect_now: starting up, or shutting down
    Fault.RATE_LIMITED: "53300",  # too_many_connections
}


async def _refuse_to_start(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, state: str
) -> None:
    """Protocol 3.0: an ErrorResponse instead of the authentication request."""
    length = int.from_bytes(await reader.readexactly(4), "big")
    await reader.readexactly(length - 4)
    if length == _SSL_REQUEST:
        writer.write(b"N")
        length = int.from_bytes(await reader.readexactly(4), "big")
        await reader.readexactly(length - 4)
    fields = f"SFATAL\0VFATAL\0C{state}\0M{CANARY}\0\0".encode()
    writer.write(b"E" + (len(fields) + 4).to_bytes(4, "big") + fields)
    await writer.drain()


async def _copy(
    source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, cut: bool = False
) -> None:
    """Until the source ends; ``cut`` breaks the link within the first answer to a statement."""
    chunks = 0
    with contextlib.suppress(ConnectionError):
        while data := await source.read(_READ_BYTES):
            chunks += 1
            # The first one is the answer to the start; a lone N is the one to the wish for TLS.
            if data == b"N":
                chunks -= 1
            if cut and chunks > 1:
                sink.write(data[: len(data) // 2])
                await sink.drain()
                break
            sink.write(data)
            await sink.drain()
    sink.close()
