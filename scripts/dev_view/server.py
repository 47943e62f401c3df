"""Serves ``/_dev`` on loopback, to this machine only.

A page of another site must get nothing: the Host header has to be ours, whatever name led here
(DNS rebinding), and nothing here changes anything.
"""

from typing import Final
from urllib.parse import parse_qs, urlsplit

from scripts.dev_view.page import POLICY, Sources, overview, request_page
from scripts.lambda_emulator.http_connection import (
    BodyTooLargeError,
    HttpConnection,
    HttpServer,
    RequestHead,
)

HOST: Final = "127.0.0.1"
PATH: Final = "/_dev"
BODY_BYTES_MAX: Final = 1_024
_HEADERS: Final = (
    ("content-security-policy", POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-resource-policy", "same-origin"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cache-control", "no-store"),
)


class ViewServer:
    """The HTTP server of one stack's page."""

    def __init__(self, sources: Sources, *, port: int) -> None:
        self._sources = sources
        self._port = port
        self._server = HttpServer(self._serve)

    async def listen(self) -> str:
        """Start; the page's address."""
        self._port = await self._server.listen(HOST, self._port)
        return f"http://{HOST}:{self._port}{PATH}"

    async def close(self) -> None:
        """Stop."""
        await self._server.close()

    async def _serve(self, connection: HttpConnection) -> None:
        while (request := await connection.next_request()) is not None:
            try:
                await connection.body(bytes_max=BODY_BYTES_MAX)
            except BodyTooLargeError:
                await self._say(connection, 413, "Too large.")
                continue
            await self._answer(connection, request)

    async def _answer(self, connection: HttpConnection, request: RequestHead) -> None:
        if request.header("host") not in {f"{HOST}:{self._port}", f"localhost:{self._port}"}:
            await self._say(connection, 421, "This page is for this machine only.")
            return
        if request.method != "GET":
            await self._say(connection, 405, "Only GET.")
            return
        page = await self._page(request.target)
        if page is None:
            await self._say(connection, 404, "Not here. Look at /_dev.")
            return
        headers = [("content-type", "text/html; charset=utf-8"), *_HEADERS]
        await connection.respond(200, headers, page.encode())

    async def _page(self, target: str) -> str | None:
        parts = urlsplit(target)
        if parts.path in {"/", PATH, f"{PATH}/"}:
            return await overview(self._sources, still="still" in parse_qs(parts.query))
        request_id = parts.path.removeprefix(f"{PATH}/requests/")
        request = self._sources.collector.requests.get(request_id)
        return None if request is None else request_page(request)

    async def _say(self, connection: HttpConnection, status: int, text: str) -> None:
        headers = [("content-type", "text/plain; charset=utf-8"), *_HEADERS]
        await connection.respond(status, headers, text.encode())
