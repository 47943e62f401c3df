"""An "everything" server for the conformance suite, on this project's streaming engine.

The SDK's server and transport, our Lambda in between: it proves the engine, never our own tools.
"""

import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from typing import Any

from mcp.server import Server
from mcp.server.caching import CacheHint
from mcp.server.request_state import RequestStateBoundary, RequestStateSecurity
from mcp_types import EmptyResult, SetLevelRequestParams
from sse_starlette import EventSourceResponse
from starlette.responses import Response

from shared.lambda_stream.asgi import StreamingAsgiHandler
from tests.support import everything_app_content as content
from tests.support import everything_app_tools as tools

NAME = "everything"
# Every environment must open what another one sealed.
_STATE_KEY = b"everything-fixture-request-state"
_CACHED = CacheHint(60_000, "public")

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


async def _set_level(_context: content.Context, _params: SetLevelRequestParams) -> EmptyResult:
    return EmptyResult()


def build_server() -> Server[Any]:
    """The SDK's server with every fixture."""
    with warnings.catch_warnings():
        # Log levels belong to the 2025 revisions, which the suite checks too.
        warnings.simplefilter("ignore")
        server: Server[Any] = Server(
            NAME,
            version="1.0.0",
            cache_hints={
                "tools/list": _CACHED,
                "prompts/list": _CACHED,
                "resources/list": _CACHED,
                "resources/templates/list": _CACHED,
                "resources/read": _CACHED,
            },
            get_tool_input_schema=tools.input_schema,
            on_list_tools=tools.list_tools,
            on_call_tool=tools.call_tool,
            on_list_resources=content.list_resources,
            on_list_resource_templates=content.list_templates,
            on_read_resource=content.read_resource,
            on_list_prompts=content.list_prompts,
            on_get_prompt=content.get_prompt,
            on_completion=content.complete,
            on_set_logging_level=_set_level,
        )
    security = RequestStateSecurity(keys=[_STATE_KEY])
    server.middleware.append(RequestStateBoundary(security, default_audience=NAME))
    return server


_app = build_server().streamable_http_app(stateless_http=True, json_response=False)


async def app(scope: Message, receive: Receive, send: Send) -> None:
    """The SDK's app, without the stream of the 2025 revisions that would never end."""
    if scope["type"] == "lifespan":
        await _start_stream_watcher()
        await _app(scope, receive, send)
    elif scope["method"] != "POST":
        refusal = Response(status_code=405, headers={"allow": "POST"}, content="POST only")
        await refusal(scope, receive, send)
    else:
        await _app(scope, receive, send)


async def _start_stream_watcher() -> None:
    """Let the stream library start its one watching task now, not as part of a request."""
    nothing: tuple[str, ...] = ()

    async def no_events() -> AsyncIterator[str]:
        for event in nothing:
            yield event

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        return None

    scope: Message = {"type": "http", "method": "GET", "headers": []}
    await EventSourceResponse(no_events())(scope, receive, send)


handler = StreamingAsgiHandler(app)
