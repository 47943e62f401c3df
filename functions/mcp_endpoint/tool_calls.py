"""Runs one tool call: arguments, deadline, progress, errors, and what the usage row will say.

Never lets an exception reach the SDK except for a tool that does not exist.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    InputRequiredResult,
    ResourceLink,
    TextContent,
)

from functions.mcp_endpoint import call_state, tool_errors
from functions.mcp_endpoint.account_link import AccountLinks
from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.progress import ProgressChannel
from functions.mcp_endpoint.tool_errors import PersonPages
from functions.mcp_endpoint.toolbox import Toolbox
from functions.mcp_endpoint.tools.definitions import CallableTool, ToolResult
from functions.mcp_endpoint.usage import note_usage
from functions.mcp_endpoint.waiting import awaited
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import JsonObject
from shared.observability import metrics, request_context, stopwatch
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.upstream.drupal_tools import SiteToolGoneError
from shared.upstream.failures import AccessForbiddenError

TUTORIAL_TYPE = "text/markdown"

Context = ServerRequestContext[Any, Any]


def state_in(context: Context) -> CallState:
    """The call state of the HTTP request that the SDK is handling."""
    request = context.request
    return call_state.state_of({} if request is None else request.scope)


class UnknownToolError(ServiceError):
    """There is no tool of this name."""

    code: ClassVar[ErrorCode] = ErrorCode.TOOL_UNKNOWN


class ToolCalls:
    """The handler of ``tools/call``."""

    def __init__(
        self,
        toolbox: Toolbox,
        *,
        links: AccountLinks,
        pages: PersonPages,
        remaining_seconds: Callable[[], float],
    ) -> None:
        self._toolbox = toolbox
        self._links = links
        self._pages = pages
        self._remaining_seconds = remaining_seconds

    async def handle(
        self, context: Context, params: CallToolRequestParams
    ) -> CallToolResult | InputRequiredResult:
        """Answer one call; a tool that fails answers too.

        Raises:
            MCPError: the tool does not exist (-32602, MCP tools, error handling), or the person
                is asked to open a link (-32042, 2025-11-25 only).
        """
        state = state_in(context)
        answer = await self._answer(context, params, state)
        if not isinstance(answer, ServiceError):
            return answer
        asking = await self._links.instead_of(
            answer, call=state.call, context=context, params=params
        )
        return asking or self._as_failure(answer, state)

    async def _answer(
        self, context: Context, params: CallToolRequestParams, state: CallState
    ) -> CallToolResult | ServiceError:
        """The tool's result, or why there is none."""
        if state.refusal is not None:
            return tool_errors.noted(state.refusal)
        tool = await self._found(params.name, state)
        if isinstance(tool, ServiceError):
            return tool
        request_context.note(tool=tool.metric_name)
        result: ToolResult | None = None
        failure: ServiceError | None = None
        with stopwatch.timed() as watch:
            try:
                with span(SpanName.TOOL, tool=tool.metric_name):
                    result = await self._run(tool, params.arguments, state, context.session)
            except Exception as error:  # noqa: BLE001 - the boundary: a model reads it
                failure = tool_errors.noted(error)
        note_usage(
            state,
            tool.name,
            metric_name=tool.metric_name,
            result=result,
            failure=failure,
            watch=watch,
            asked_id=(params.arguments or {}).get("id"),
        )
        if isinstance(failure, SiteToolGoneError | AccessForbiddenError):
            # Refused: the membership may have ended, and with it the right to some tools.
            self._toolbox.doubt(state.call)
        if isinstance(failure, SiteToolGoneError):
            raise _unknown_tool()
        if result is not None:
            return _as_call_result(result)
        return failure or ServiceError()

    async def _found(self, name: str, state: CallState) -> CallableTool | ServiceError:
        """The tool, or why it could not be looked for."""
        try:
            tool = await self._toolbox.find(name, state.call)
        except Exception as error:  # noqa: BLE001 - the boundary, as in handle
            return tool_errors.noted(error)
        if tool is None:
            raise _unknown_tool()
        return tool

    async def _run(
        self,
        tool: CallableTool,
        arguments: dict[str, Any] | None,
        state: CallState,
        channel: ProgressChannel,
    ) -> ToolResult:
        parsed = tool.parse(arguments)
        return await awaited(
            lambda: tool.run(state.call, parsed),
            channel,
            remaining_seconds=self._remaining_seconds,
        )

    def _as_failure(self, failure: ServiceError, state: CallState) -> CallToolResult:
        if tool_errors.is_identity_error(failure):
            # If nothing has been sent yet, a 401 with the challenge goes out in place of this.
            state.withdrawn = failure
        return tool_errors.as_tool_result(failure, page=self._pages.of(failure))


def _unknown_tool() -> MCPError:
    error = UnknownToolError()
    metrics.count(metrics.MetricName.ERRORS, error_code=error.code.value)
    data = tool_errors.guidance_of(error)
    data["what_to_do"] = "List the tools again and call one of them."
    return MCPError(error.entry.jsonrpc_code, error.entry.message, data)


def _as_call_result(result: ToolResult) -> CallToolResult:
    content: list[ContentBlock] = [TextContent(text=result.text)]
    content += [
        ResourceLink(uri=link.uri, name=link.title, title=link.title, mime_type=TUTORIAL_TYPE)
        for link in result.links
    ]
    return CallToolResult(content=content, structured_content=_as_json(result))


def _as_json(result: ToolResult) -> JsonObject | None:
    structured = result.structured
    if structured is None or isinstance(structured, dict):
        return structured
    return structured.model_dump(mode="json", exclude_none=True)
