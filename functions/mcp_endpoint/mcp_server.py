"""The MCP protocol, which is the official SDK's job: 2026-07-28 and the 2025 revisions.

Never keeps anything of the protocol between requests: no session, no subscription, no open stream.
"""

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mcp.server import Server
from mcp.server.caching import CacheableMethod, CacheHint
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings
from mcp_types import (
    GetPromptRequestParams,
    GetPromptResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
)
from sse_starlette import EventSourceResponse

from functions.mcp_endpoint.answers import Message, Receive, Scope, Send
from functions.mcp_endpoint.messages import IncomingMessage
from functions.mcp_endpoint.prompts import Prompts
from functions.mcp_endpoint.resources import Resources
from functions.mcp_endpoint.tool_calls import Context, ToolCalls, state_in
from functions.mcp_endpoint.toolbox import Toolbox

SERVER_NAME = "drupalize-mcp"
INSTRUCTIONS = (
    "Tutorials from {site_name}, with the signed-in person's own membership. "
    "Find them with search_tutorials, read one with get_tutorial, and give the person the "
    "tutorial's address as the source. Further tools are the site's own, for this person. If a "
    "call is refused, account_status says what to do."
)
LISTS_TTL_MILLISECONDS = 300_000
CONTENT_TTL_MILLISECONDS = 60_000

_LIST_HINT = CacheHint(LISTS_TTL_MILLISECONDS, "private")
_CACHE_HINTS: dict[CacheableMethod, CacheHint] = {
    "tools/list": _LIST_HINT,
    "resources/list": _LIST_HINT,
    "resources/templates/list": _LIST_HINT,
    "prompts/list": _LIST_HINT,
    "resources/read": CacheHint(CONTENT_TTL_MILLISECONDS, "private"),
}

_PLATFORM_HOST_END = ".on.aws"
"""Of a Function URL. An edge in front sends it in place of the public name, and nobody else can:
the platform routes by it, and its names cannot be rebound."""

_REPLACED_HEADERS = frozenset({b"accept", b"content-type", b"origin", b"mcp-session-id"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the server has to offer."""

    toolbox: Toolbox
    calls: ToolCalls
    resources: Resources
    prompts: Prompts


def build_server(offer: Offer, *, release: str, site_name: str) -> Server[Any]:
    """The SDK's server with this server's tools, resources and prompts.

    It has no ``subscriptions/listen`` and promises no list changes: every stream held open would
    be a function held open.
    """
    handlers = _Handlers(offer)
    return Server(
        SERVER_NAME,
        version=release,
        title=f"{site_name} tutorials",
        instructions=INSTRUCTIONS.format(site_name=site_name),
        # Every list depends on the person's permissions, and every text on their membership:
        # nobody else may be served from a copy.
        cache_hints=_CACHE_HINTS,
        # Ours only: those of the site name no headers.
        get_tool_input_schema=offer.toolbox.own.input_schema,
        on_list_tools=handlers.list_tools,
        on_call_tool=offer.calls.handle,
        on_list_resources=handlers.list_resources,
        on_list_resource_templates=handlers.list_templates,
        on_read_resource=offer.resources.read,
        on_list_prompts=handlers.list_prompts,
        on_get_prompt=handlers.get_prompt,
    )


class _Handlers:
    """Lists as the protocol words them. All are bounded and come in one page."""

    def __init__(self, offer: Offer) -> None:
        self._offer = offer

    async def list_tools(
        self, context: Context, _params: PaginatedRequestParams | None
    ) -> ListToolsResult:
        return ListToolsResult(tools=await self._offer.toolbox.tools_for(state_in(context)))

    async def list_resources(
        self, _context: Context, _params: PaginatedRequestParams | None
    ) -> ListResourcesResult:
        """None: which tutorials there are is found by searching."""
        return ListResourcesResult(resources=[])

    async def list_templates(
        self, context: Context, _params: PaginatedRequestParams | None
    ) -> ListResourceTemplatesResult:
        scopes = state_in(context).call.scopes
        return ListResourceTemplatesResult(
            resource_templates=self._offer.resources.templates_for(scopes)
        )

    async def list_prompts(
        self, context: Context, _params: PaginatedRequestParams | None
    ) -> ListPromptsResult:
        scopes = state_in(context).call.scopes
        return ListPromptsResult(prompts=self._offer.prompts.prompts_for(scopes))

    async def get_prompt(
        self, _context: Context, params: GetPromptRequestParams
    ) -> GetPromptResult:
        return self._offer.prompts.get(params)


class McpProtocol:
    """The SDK's transport, entered once per environment.

    Two session managers over one server: the 2025 revisions answer either always as JSON, which
    drops progress, or always as a stream. A request that asked for progress takes the stream.
    """

    def __init__(self, server: Server[Any], *, mcp_url: str, body_bytes_max: int) -> None:
        self._host = urlsplit(mcp_url).netloc
        security = TransportSecuritySettings(allowed_hosts=[self._host])
        self._json, self._streaming = (
            StreamableHTTPSessionManager(
                app=server,
                json_response=json_response,
                stateless=True,
                security_settings=security,
                max_request_body_size=body_bytes_max,
            )
            for json_response in (True, False)
        )

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Keep both managers running; once per instance."""
        async with self._json.run(), self._streaming.run():
            await _start_stream_watcher()
            yield

    async def serve(
        self, message: IncomingMessage, scope: Scope, receive: Receive, send: Send
    ) -> None:
        """Answer one authenticated message."""
        manager = self._streaming if message.wants_stream else self._json
        prepared = self._prepared(scope, streams=message.wants_stream)
        await manager.handle_request(prepared, _replay(message.body, receive), send)

    def _prepared(self, scope: Scope, *, streams: bool) -> Scope:
        """The request as the SDK shall see it.

        Accept: what was decided, so that a client that forgot it is served all the same. Content
        type: checked before, in any spelling. Origin: any web page may call, because only a header
        authenticates; rebinding is stopped by the Host check. A session id is a leftover of
        another server or an earlier version, and means nothing here.
        """
        accept = b"application/json, text/event-stream" if streams else b"application/json"
        headers = [(b"content-type", b"application/json"), (b"accept", accept)]
        for name, value in scope["headers"]:
            if name == b"host" and value.decode("latin-1").endswith(_PLATFORM_HOST_END):
                headers.append((name, self._host.encode()))
            elif name not in _REPLACED_HEADERS:
                headers.append((name, value))
        return {**scope, "headers": headers}


def _replay(body: bytes, receive: Receive) -> Receive:
    events: deque[Message] = deque([{"type": "http.request", "body": body, "more_body": False}])

    async def replaying() -> Message:
        return events.popleft() if events else await receive()

    return replaying


async def _start_stream_watcher() -> None:
    """Let the stream library start its one watching task per event loop now.

    It would start at the first stream, inside a request, and be a task that outlives it.
    """

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        return None

    scope = {"type": "http", "method": "GET", "headers": []}
    await EventSourceResponse(_NoEvents())(scope, receive, send)


class _NoEvents:
    def __aiter__(self) -> "_NoEvents":
        return self

    async def __anext__(self) -> str:
        raise StopAsyncIteration
