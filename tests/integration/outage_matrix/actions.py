"""What people, clients and the schedule ask while something is away: the columns of the matrix.

Each action runs in an environment of its own, within the time that the platform would give it.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import httpx2

import functions.mcp_endpoint.composition as mcp_endpoint
from functions.mcp_endpoint.app import McpEndpoint
from shared.errors.base import ServiceError
from shared.observability.request_context import begin_request
from tests.integration.oauth.driver import ISSUER, MCP_URL
from tests.integration.outage_matrix.world import MatrixWorld, client_of
from tests.unit.mcp_endpoint.pieces import tool_call

DEADLINE_SECONDS: Final = 12.0
"""What the platform gives in this test; no cell may come near."""

MCP_ORIGIN: Final = MCP_URL.removesuffix("/mcp")
SEARCH: Final = tool_call("search_tutorials", {"query": "module"})
READ: Final = tool_call("get_tutorial", {"id": "101"})


class Action(StrEnum):
    """What is asked."""

    SEARCH = "tool call: search"
    READ = "tool call: read"
    CONSENT = "sign-in: consent"
    CALLBACK = "sign-in: callback"
    DOCUMENT = "sign-in: a client with a document"
    TOKEN = "token refresh: /token"
    BACKGROUND = "token refresh: background"
    METADATA = "metadata"
    LIVE = "health: live"
    READY_MCP = "health: ready, MCP endpoint"
    READY_OAUTH = "health: ready, authorization server"


@dataclass(frozen=True, kw_only=True)
class Seen:
    """What came back, as a caller sees it."""

    status: int
    code: str | None = None
    """The catalogue's code, or what a schedule's outcome or health's status is called."""
    retry_after: str | None = None
    text: str = ""
    """Everything that was sent, for the search for leaks."""


Ask = Callable[[MatrixWorld], Awaitable[Seen]]


async def run(action: Action, world: MatrixWorld) -> Seen:
    """One action, as one invocation.

    Raises:
        TimeoutError: the deadline would have been missed.
    """
    async with asyncio.timeout(DEADLINE_SECONDS):
        with begin_request(function="matrix", remaining_seconds=DEADLINE_SECONDS):
            return await ASKS[action](world)


@asynccontextmanager
async def door_of(parts: mcp_endpoint.Parts) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP straight into the resource server, its lifespan entered."""
    transport = httpx2.ASGITransport(app=parts.app)
    async with living(parts.app), httpx2.AsyncClient(transport=transport) as door:
        yield door


@asynccontextmanager
async def living(app: McpEndpoint) -> AsyncIterator[None]:
    """The lifespan of an ASGI app, around the block."""
    told: asyncio.Queue[dict[str, str]] = asyncio.Queue()
    started = asyncio.Event()

    async def send(_: Any) -> None:
        started.set()

    task = asyncio.create_task(app({"type": "lifespan"}, told.get, send))
    told.put_nowait({"type": "lifespan.startup"})
    await started.wait()
    try:
        yield
    finally:
        told.put_nowait({"type": "lifespan.shutdown"})
        await task


async def ask_tool(
    world: MatrixWorld, message: Mapping[str, Any], parts: mcp_endpoint.Parts | None = None
) -> Seen:
    """One tool call by the person's client, in a fresh environment or the one given."""
    headers = {
        "authorization": f"Bearer {world.tokens['access_token']}",
        "mcp-protocol-version": "2025-11-25",
    }
    async with door_of(parts or world.mcp_endpoint()) as door:
        return tool_answer(await door.post(MCP_URL, json=dict(message), headers=headers))


def tool_answer(answer: httpx2.Response) -> Seen:
    """A result of a tool, an error of one, or one of the protocol."""
    body = answer.json()
    result = body.get("result", {})
    error = body.get("error", {}).get("data", {})
    if result.get("isError"):
        error = result["structuredContent"]["error"]
    code = error.get("code")
    retry = answer.headers.get("retry-after") or error.get("retry_after_seconds")
    return Seen(
        status=answer.status_code,
        code=code,
        retry_after=None if code is None else str(retry),
        text=str(answer.headers) + answer.text,
    )


def web_answer(answer: httpx2.Response) -> Seen:
    """A page, a redirect or JSON of the authorization server."""
    kind = answer.headers.get("content-type", "")
    body = answer.json() if kind == "application/json" else {}
    return Seen(
        status=answer.status_code,
        code=body.get("code") or _code_of_page(answer),
        retry_after=answer.headers.get("retry-after"),
        text=str(answer.headers) + answer.text,
    )


def _code_of_page(answer: httpx2.Response) -> str | None:
    """Pages say an error by its text; the code is the one of the catalogue with that text."""
    from shared.errors.catalogue import CATALOGUE  # noqa: PLC0415

    if answer.status_code < 400:
        return None
    found = [code.value for code, entry in CATALOGUE.items() if entry.message in answer.text]
    return "|".join(found) or "unworded"


async def _consent(world: MatrixWorld) -> Seen:
    async with client_of(world.oauth()) as world.driver.http:
        return web_answer(await world.driver.decide())


async def callback(world: MatrixWorld) -> Seen:
    """The browser comes back from the site."""
    async with client_of(world.oauth()) as world.driver.http:
        return web_answer(await world.driver.open("/oauth/callback", world.waiting))


async def _document(world: MatrixWorld) -> Seen:
    request = world.driver.request(client_id=world.document_id)
    async with client_of(world.oauth()) as http:
        return web_answer(await http.get("/authorize", params=request))


async def refresh(world: MatrixWorld) -> Seen:
    """The client refreshes its tokens; what it gets replaces what it had."""
    async with client_of(world.oauth()) as world.driver.http:
        answer = await world.driver.refresh(world.tokens["refresh_token"])
    if answer.status_code == 200:
        world.tokens = {**answer.json(), "access_token": world.tokens["access_token"]}
        return Seen(status=200)
    return web_answer(answer)


async def background(world: MatrixWorld) -> Seen:
    """The schedule's tick over one grant that is due: its outcome."""
    parts = world.token_refresh()
    try:
        counts = await parts.tick.run()
    except ServiceError as error:
        return Seen(status=error.entry.http_status, code=error.code.value)
    found = [name for name, count in counts.items() if count]
    return Seen(status=200, code="|".join(found) or "left")


async def _metadata(world: MatrixWorld) -> Seen:
    paths = ("oauth-authorization-server", "oauth-protected-resource/mcp")
    async with client_of(world.oauth()) as issuer, door_of(world.mcp_endpoint()) as door:
        answers = [
            await http.get(f"{base}/.well-known/{path}")
            for http, base in ((issuer, ISSUER), (door, MCP_ORIGIN))
            for path in paths
        ]
    return _worst(answers)


async def _live(world: MatrixWorld) -> Seen:
    async with client_of(world.oauth()) as issuer, door_of(world.mcp_endpoint()) as door:
        return _worst(
            [
                await issuer.get("/health/live"),
                await door.get(f"{MCP_ORIGIN}/health/live"),
            ]
        )


async def _ready_mcp(world: MatrixWorld) -> Seen:
    async with door_of(world.mcp_endpoint()) as door:
        return _readiness(await door.get(f"{MCP_ORIGIN}/health/ready"))


async def _ready_oauth(world: MatrixWorld) -> Seen:
    async with client_of(world.oauth()) as issuer:
        return _readiness(await issuer.get("/health/ready"))


def _readiness(answer: httpx2.Response) -> Seen:
    return Seen(
        status=answer.status_code,
        code=answer.json()["status"],
        retry_after=answer.headers.get("retry-after"),
        text=str(answer.headers) + answer.text,
    )


def _worst(answers: list[httpx2.Response]) -> Seen:
    return max((web_answer(answer) for answer in answers), key=lambda seen: seen.status)


ASKS: Final[Mapping[Action, Ask]] = {
    Action.SEARCH: lambda world: ask_tool(world, SEARCH),
    Action.READ: lambda world: ask_tool(world, READ),
    Action.CONSENT: _consent,
    Action.CALLBACK: callback,
    Action.DOCUMENT: _document,
    Action.TOKEN: refresh,
    Action.BACKGROUND: background,
    Action.METADATA: _metadata,
    Action.LIVE: _live,
    Action.READY_MCP: _ready_mcp,
    Action.READY_OAUTH: _ready_oauth,
}
