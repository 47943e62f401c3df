"""One host in front of both Function URLs, as CloudFront is: routing, and the edge function.

Answers pass through the very function that is deployed to the edge. It must not know what the
requests are about, and caches nothing.
"""

from collections.abc import Iterable

import h11
import httpx2

from functions.edge_challenge.handler import EdgeResponse
from functions.edge_challenge.handler import handler as edge_function
from scripts.lambda_emulator.http_connection import (
    BodyTooLargeError,
    HttpConnection,
    HttpServer,
    RequestHead,
    head,
)
from scripts.lambda_emulator.specification import REQUEST_BYTES_MAX

MCP_PATHS = ("/mcp", "/.well-known/oauth-protected-resource")
"""With everything below them the MCP endpoint's; the rest is the OAuth server's."""
ORIGIN_HOST = "local.lambda-url.eu-central-1.on.aws"
"""CloudFront sends the origin's name as Host: a Function URL is routed by it."""
ORIGIN_RESPONSE_SECONDS_MAX = 60.0
"""Longest silence of an origin, as template.yaml sets it."""

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade", "te", "host"})

_OURS = frozenset({"x-viewer-address", "x-origin-secret"})


class EdgeFront:
    """The HTTP server of the one public host."""

    def __init__(
        self, *, host: str, port: int, mcp_origin: str, oauth_origin: str, origin_secret: str
    ) -> None:
        self._host, self._port = host, port
        self._origin_secret = origin_secret
        self._mcp_origin, self._oauth_origin = mcp_origin, oauth_origin
        self._server = HttpServer(self._serve)
        self._client = httpx2.AsyncClient(
            timeout=httpx2.Timeout(ORIGIN_RESPONSE_SECONDS_MAX), trust_env=False
        )

    async def listen(self) -> str:
        """Start; answers the origin without a trailing slash."""
        self._port = await self._server.listen(self._host, self._port)
        return f"http://{self._host}:{self._port}"

    async def close(self) -> None:
        """Stop and drop all connections."""
        await self._server.close()
        await self._client.aclose()

    async def _serve(self, connection: HttpConnection) -> None:
        while (request := await connection.next_request()) is not None:
            try:
                body = await connection.body(bytes_max=REQUEST_BYTES_MAX)
            except BodyTooLargeError:
                await connection.respond(413)
                continue
            try:
                await self._pass_on(connection, request, body)
            except httpx2.HTTPError:
                connection.abort()

    async def _pass_on(self, connection: HttpConnection, request: RequestHead, body: bytes) -> None:
        origin = self._mcp_origin if _is_mcp(request.target) else self._oauth_origin
        headers = [
            *_from_viewer(
                (key.decode("latin-1"), value.decode("latin-1")) for key, value in request.headers
            ),
            ("host", ORIGIN_HOST),
            ("x-viewer-address", connection.peer),
            ("x-origin-secret", self._origin_secret),
        ]
        async with self._client.stream(
            request.method, f"{origin}{request.target}", headers=headers, content=body
        ) as answer:
            answered = _at_the_edge(answer.status_code, answer.headers.multi_items())
            await connection.send(head(answer.status_code, answered))
            if request.method != "HEAD" and answer.status_code not in {204, 304}:
                async for chunk in answer.aiter_raw():
                    await connection.send(h11.Data(data=chunk))
            await connection.send(h11.EndOfMessage())


def _is_mcp(target: str) -> bool:
    path = target.partition("?")[0]
    return any(path == mine or path.startswith(f"{mine}/") for mine in MCP_PATHS)


def _end_to_end(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if name.lower() not in _HOP_BY_HOP]


def _from_viewer(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """What a viewer sent, without what the edge says itself: CloudFront puts its own in place."""
    return [(name, value) for name, value in _end_to_end(headers) if name.lower() not in _OURS]


def _at_the_edge(status: int, headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The headers after the edge function has seen the answer as CloudFront hands it over."""
    response: EdgeResponse = {"status": str(status), "headers": {}}
    for name, value in _end_to_end(headers):
        response["headers"].setdefault(name.lower(), []).append({"key": name, "value": value})
    answered = edge_function({"Records": [{"cf": {"response": response}}]}, None)
    return [
        (line["key"], line["value"]) for lines in answered["headers"].values() for line in lines
    ]
