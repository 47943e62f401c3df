"""What people, clients and the schedule ask while something is away: the columns of the matrix.

Each action runs in an environment of its own, within the time that the platform would give it.
"""

import asyncio
import html
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx2

import functions.mcp_endpoint.composition as mcp_endpoint
import functions.token_refresh.composition as token_refresh
from functions.mcp_endpoint.app import McpEndpoint
from scripts.outages import Action, Background
from shared.observability import recovery
from shared.observability.request_context import begin_request
from shared.state.database import DatabaseUnavailableError
from shared.workflows.refresh_grant import RefreshOutcome
from tests.integration.oauth.driver import ISSUER, MCP_URL
from tests.integration.outage_matrix.world import MatrixWorld, client_of
from tests.unit.mcp_endpoint.pieces import tool_call

DEADLINE_SECONDS: Final = 12.0
"""What the platform gives in this test."""
SHORT_SECONDS: Final = 3.0
"""What it gives a request that would use up its time, but for what an answer needs."""
TICK_SECONDS: Final = 28.0
"""For the schedule: it begins nothing in the last seconds of its time."""
NEVER_SECONDS: Final = 20.0
"""So long no action may take, whatever the machine is busy with."""

MCP_ORIGIN: Final = MCP_URL.removesuffix("/mcp")
SEARCH: Final = tool_call("search_tutorials", {"query": "module"})
READ: Final = tool_call("get_tutorial", {"id": "101"})


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


async def run(action: Action, world: MatrixWorld, *, seconds: float = DEADLINE_SECONDS) -> Seen:
    """One action, as one invocation that the platform gives ``seconds``.

    Raises:
        TimeoutError: it hangs.
    """
    async with asyncio.timeout(NEVER_SECONDS):
        left = TICK_SECONDS if action is Action.BACKGROUND else seconds
        with begin_request(function="matrix", remaining_seconds=left):
            seen = await ASKS[action](world)
            recovery.settle(background=action is Action.BACKGROUND)
            return seen


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
    world: MatrixWorld, message: Mapping[str, Any], door: httpx2.AsyncClient | None = None
) -> Seen:
    """One tool call by the person's client, in a fresh environment or through the door given."""
    headers = {
        "authorization": f"Bearer {world.tokens['access_token']}",
        "mcp-protocol-version": "2025-11-25",
    }
    if door is not None:
        return tool_answer(await door.post(MCP_URL, json=dict(message), headers=headers))
    async with resource_of(world) as fresh:
        return await ask_tool(world, message, fresh)


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
    text = html.unescape(answer.text)
    found = [code.value for code, entry in CATALOGUE.items() if entry.message in text]
    return "|".join(found) or "unworded"


@asynccontextmanager
async def issuer_of(world: MatrixWorld) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP into a fresh environment of the authorization server."""
    async with world.oauth() as parts, client_of(parts) as http:
        yield http


@asynccontextmanager
async def resource_of(world: MatrixWorld) -> AsyncIterator[httpx2.AsyncClient]:
    """HTTP into a fresh environment of the resource server."""
    async with world.mcp_endpoint() as parts, door_of(parts) as http:
        yield http


async def _consent(world: MatrixWorld) -> Seen:
    async with issuer_of(world) as world.driver.http:
        return web_answer(await world.driver.decide())


async def callback(world: MatrixWorld) -> Seen:
    """The browser comes back from the site."""
    async with issuer_of(world) as world.driver.http:
        return web_answer(await world.driver.open("/oauth/callback", world.waiting))


async def _document(world: MatrixWorld) -> Seen:
    request = world.driver.request(client_id=world.document_id)
    async with issuer_of(world) as http:
        return web_answer(await http.get("/authorize", params=request))


async def refresh(world: MatrixWorld) -> Seen:
    """The client refreshes its tokens; what it gets replaces what it had."""
    async with issuer_of(world) as world.driver.http:
        answer = await world.driver.refresh(world.tokens["refresh_token"])
    if answer.status_code == 200:
        world.tokens = {**answer.json(), "access_token": world.tokens["access_token"]}
        return Seen(status=200)
    return web_answer(answer)


async def background(world: MatrixWorld) -> Seen:
    """A tick over one grant that is due, as its handler runs it."""
    world.make_due()
    before = attempts_of(world)
    async with world.token_refresh() as parts:
        counts = await tick(parts)
    if counts is None:
        return Seen(status=200, code=Background.NO_TICK)
    return Seen(status=200, code=outcome_of(counts, attempts_of(world)[len(before) :]))


async def tick(parts: token_refresh.Parts) -> dict[str, int] | None:
    """What a tick has counted; None where it could not even look for grants."""
    try:
        return await parts.tick.run(share=await parts.stagger.share())
    except DatabaseUnavailableError:
        return None
    finally:
        await parts.opened.circuits.settle()


def outcome_of(counts: Mapping[str, int], outcomes: list[str | None]) -> str:
    """What became of the one grant: how its refresh ended, and whether there is doubt."""
    ended = [name for name, count in counts.items() if count]
    if ended != [RefreshOutcome.INDETERMINATE]:
        return "|".join(ended) or "left"
    if not outcomes:
        return Background.NOT_BEGUN
    return Background.IN_DOUBT if outcomes[-1] is None else Background.POSTPONED


def attempts_of(world: MatrixWorld) -> list[str | None]:
    """The outcome of every call of the site's token endpoint for a refresh, None for doubt."""
    return [row[0] for row in world.admin.execute(_ATTEMPTS)]


async def _metadata(world: MatrixWorld) -> Seen:
    paths = ("oauth-authorization-server", "oauth-protected-resource/mcp")
    async with issuer_of(world) as issuer, resource_of(world) as resource:
        answers = [
            await http.get(f"{base}/.well-known/{path}")
            for http, base in ((issuer, ISSUER), (resource, MCP_ORIGIN))
            for path in paths
        ]
    return _worst(answers)


async def _live(world: MatrixWorld) -> Seen:
    async with issuer_of(world) as issuer, resource_of(world) as resource:
        return _worst(
            [
                await issuer.get("/health/live"),
                await resource.get(f"{MCP_ORIGIN}/health/live"),
            ]
        )


async def _ready_mcp(world: MatrixWorld) -> Seen:
    async with resource_of(world) as resource:
        return _readiness(await resource.get(f"{MCP_ORIGIN}/health/ready"))


async def _ready_oauth(world: MatrixWorld) -> Seen:
    async with issuer_of(world) as issuer:
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


_ATTEMPTS: Final = "SELECT outcome FROM app.refresh_attempts ORDER BY attempt_id"
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
