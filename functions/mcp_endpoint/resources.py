"""Tutorials as resources: one template, read through the content tool.

Never lists what a person may read: that is found by searching, and read by its address.
"""

from collections.abc import Callable, Iterable
from typing import ClassVar
from urllib.parse import unquote

from mcp import MCPError
from mcp_types import (
    INVALID_PARAMS,
    ReadResourceRequestParams,
    ReadResourceResult,
    ResourceTemplate,
    TextResourceContents,
)
from mcp_types.version import MODERN_PROTOCOL_VERSIONS

from functions.mcp_endpoint import tool_errors
from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.tool_calls import TUTORIAL_TYPE, Context, state_in
from functions.mcp_endpoint.tool_errors import PersonPages
from functions.mcp_endpoint.tools import presentation
from functions.mcp_endpoint.tools.content_tools import CONTENT_ID_CHARACTERS_MAX, ContentTools
from functions.mcp_endpoint.tools.definitions import ToolResult
from functions.mcp_endpoint.usage import note_usage
from functions.mcp_endpoint.waiting import awaited
from shared.domain.scopes import Scope
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import JsonObject
from shared.observability import stopwatch
from shared.observability.spans import SpanName
from shared.observability.tracing import span

USAGE_NAME = "read_resource"
"""What metrics and usage rows call a reading by address."""
NOT_FOUND_BEFORE_2026 = -32002
"""Resource not found, in the revisions before 2026-07-28; it is -32602 there."""

_TEMPLATE = ResourceTemplate(
    name="tutorial",
    title="Tutorial",
    uri_template=f"{presentation.TUTORIAL_URI_START}{{id}}",
    description="A tutorial as Markdown, by the id of a search result.",
    mime_type=TUTORIAL_TYPE,
)


class ResourceNotFoundError(ServiceError):
    """No resource of ours has this address."""

    code: ClassVar[ErrorCode] = ErrorCode.CONTENT_NOT_FOUND


class Resources:
    """The resources of this server."""

    def __init__(
        self,
        content: ContentTools,
        *,
        pages: PersonPages,
        remaining_seconds: Callable[[], float],
    ) -> None:
        self._content = content
        self._pages = pages
        self._remaining_seconds = remaining_seconds

    def templates_for(self, scopes: Iterable[str]) -> list[ResourceTemplate]:
        """The templates that a session with ``scopes`` can use."""
        return [_TEMPLATE] if Scope.READ.value in set(scopes) else []

    def scopes_needed(self, uri: object) -> tuple[Scope, ...]:
        """The permissions that reading this address needs."""
        return () if _content_id(uri) is None else (Scope.READ,)

    async def read(self, context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        """Read one resource.

        Raises:
            MCPError: there is no such resource, or it cannot be read now (MCP resources, error
                handling).
        """
        state = state_in(context)
        result: ToolResult | None = None
        failure: ServiceError | None = None
        with stopwatch.timed() as watch:
            try:
                with span(SpanName.TOOL, tool=USAGE_NAME):
                    result = await self._read(params.uri, state, context)
            except Exception as error:  # noqa: BLE001 - the boundary, as for tools
                failure = tool_errors.noted(error)
        note_usage(
            state,
            USAGE_NAME,
            metric_name=USAGE_NAME,
            result=result,
            failure=failure,
            watch=watch,
            asked_id=_content_id(params.uri),
        )
        if result is None:
            known = failure or ServiceError()
            told = tool_errors.guidance_of(known, page=self._pages.of(known))
            raise _refusal(known, state, context.protocol_version, data={**told, "uri": params.uri})
        text = TextResourceContents(uri=params.uri, mime_type=TUTORIAL_TYPE, text=result.text)
        return ReadResourceResult(contents=[text])

    async def _read(self, uri: str, state: CallState, context: Context) -> ToolResult:
        content_id = _content_id(uri)
        if content_id is None:
            raise ResourceNotFoundError
        document = await awaited(
            lambda: self._content.document(state.call, content_id),
            context.session,
            remaining_seconds=self._remaining_seconds,
        )
        return presentation.document_result(document, start=0)


def _content_id(uri: object) -> str | None:
    if not isinstance(uri, str) or not uri.startswith(presentation.TUTORIAL_URI_START):
        return None
    content_id = unquote(uri.removeprefix(presentation.TUTORIAL_URI_START))
    sound = content_id.isprintable() and 0 < len(content_id) <= CONTENT_ID_CHARACTERS_MAX
    return content_id if sound else None


def _refusal(
    failure: ServiceError, state: CallState, protocol_version: str, *, data: JsonObject
) -> MCPError:
    if tool_errors.is_identity_error(failure):
        # If nothing has been sent yet, a 401 with the challenge goes out in place of this error.
        state.withdrawn = failure
    code = failure.entry.jsonrpc_code
    if failure.code is ErrorCode.CONTENT_NOT_FOUND:
        modern = protocol_version in MODERN_PROTOCOL_VERSIONS
        code = INVALID_PARAMS if modern else NOT_FOUND_BEFORE_2026
    return MCPError(code, failure.entry.message, data)
