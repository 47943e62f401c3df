"""The least that serves one tool over MCP on Lambda: the official SDK and nothing around it.

No bearer check, no database, no keys, no logs, no metrics; its tool sends the search to the site
with a token from the environment. Runs in an artifact of its own, on the platform's own runtime
client; it must import nothing of this project.
"""

import asyncio
import base64
import os
from collections import deque
from contextlib import AsyncExitStack
from typing import Any

import httpx2
from mcp.server import MCPServer
from mcp.server.transport_security import TransportSecuritySettings

_loop = asyncio.new_event_loop()
_site = httpx2.AsyncClient(
    headers={"Authorization": f"Bearer {os.environ.get('SITE_ACCESS_TOKEN', '')}"}
)
_server = MCPServer("bare")


@_server.tool()
async def search_tutorials(query: str, limit: int = 10) -> dict[str, Any]:
    """Search the site."""
    params = {"keywords": query, "page": {"limit": limit, "offset": 0}}
    answer = await _site.post(
        f"{os.environ['SITE_URL']}/jsonrpc?_format=json",
        json={
            "jsonrpc": "2.0",
            "id": "1",
            "method": os.environ["SITE_SEARCH_METHOD"],
            "params": params,
        },
    )
    answer.raise_for_status()
    result: dict[str, Any] = answer.json()["result"]
    return result


_app = _server.streamable_http_app(
    stateless_http=True,
    json_response=os.environ.get("JSON_RESPONSE") == "1",
    transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
)
_lifespan = AsyncExitStack()
_loop.run_until_complete(_lifespan.enter_async_context(_app.router.lifespan_context(_app)))


def handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer a Function URL event (payload format 2.0), whole."""
    return _loop.run_until_complete(_answer(event))


async def _answer(event: dict[str, Any]) -> dict[str, Any]:
    body = event.get("body", "")
    raw = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
    incoming = deque([{"type": "http.request", "body": raw, "more_body": False}])
    outgoing: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        if not incoming:
            await asyncio.Event().wait()
        return incoming.popleft()

    async def send(message: Any) -> None:
        outgoing.append(message)

    await _app(_scope(event), receive, send)
    return {
        "statusCode": outgoing[0]["status"],
        "headers": {name.decode(): value.decode() for name, value in outgoing[0]["headers"]},
        "body": b"".join(message.get("body", b"") for message in outgoing[1:]).decode(),
    }


def _scope(event: dict[str, Any]) -> dict[str, Any]:
    path = event["rawPath"]
    return {
        "type": "http",
        "http_version": "1.1",
        "method": event["requestContext"]["http"]["method"],
        "path": path,
        "raw_path": path.encode(),
        "root_path": "",
        "scheme": "http",
        "query_string": event["rawQueryString"].encode(),
        "headers": [(name.encode(), value.encode()) for name, value in event["headers"].items()],
    }
