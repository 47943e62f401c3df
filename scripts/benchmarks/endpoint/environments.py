"""Execution environments of the endpoint in this process, each with its own connection and caches.

As on Lambda each serves one request at a time; only the interpreter is shared.
"""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

from functions.mcp_endpoint.composition import Parts, compose
from scripts.benchmarks.endpoint.premises import Premises
from scripts.benchmarks.tool_requests import ToolRequest
from shared.observability.request_context import Ending, begin_request
from shared.settings import McpEndpointFunctionSettings

INVOCATION_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """One answer."""

    status: int
    retry_after: str
    body: bytes
    content_type: str
    seconds: float
    retries: int
    """What the endpoint did again by itself before it answered."""


class Environment:
    """One composed endpoint."""

    def __init__(self, parts: Parts, around: Premises, http: httpx2.AsyncClient) -> None:
        self._parts = parts
        self._around = around
        self._http = http

    def knows_nobody(self) -> None:
        """Forget who was verified: as one that has started a moment ago, or serves newcomers."""
        self._parts.verified.forget()

    async def call(self, request: ToolRequest) -> Answered:
        """One tool call."""
        headers = request.headers(self._around.access_token, self._around.host)
        began = time.perf_counter()
        with begin_request(
            function="mcp_endpoint", remaining_seconds=INVOCATION_SECONDS
        ) as context:
            answer = await self._http.post("/mcp", headers=headers, content=request.body())
        return Answered(
            status=answer.status_code,
            retry_after=answer.headers.get("retry-after", ""),
            body=answer.content,
            content_type=answer.headers.get("content-type", ""),
            seconds=time.perf_counter() - began,
            retries=sum(fault.ending is Ending.RETRY for fault in context.faults),
        )


@asynccontextmanager
async def running_environments(around: Premises, count: int) -> AsyncIterator[list[Environment]]:
    """So many; gone afterwards."""
    async with AsyncExitStack() as stack:
        yield [await _started(stack, around) for _ in range(count)]


async def _started(stack: AsyncExitStack, around: Premises) -> Environment:
    parts = compose(McpEndpointFunctionSettings.from_environment(around.variables()))
    stack.push_async_callback(parts.close)
    await stack.enter_async_context(_living(parts))
    transport = httpx2.ASGITransport(parts.app)
    http = httpx2.AsyncClient(transport=transport, base_url=f"http://{around.host}")
    await stack.enter_async_context(http)
    return Environment(parts, around, http)


@asynccontextmanager
async def _living(parts: Parts) -> AsyncIterator[None]:
    """The app between its start and its shutdown (ASGI lifespan protocol 2.0)."""
    to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    from_app: asyncio.Queue[Any] = asyncio.Queue()
    life = asyncio.create_task(
        parts.app({"type": "lifespan", "state": {}}, to_app.get, from_app.put)
    )
    await to_app.put({"type": "lifespan.startup"})
    await from_app.get()
    try:
        yield
    finally:
        await to_app.put({"type": "lifespan.shutdown"})
        await life
