"""The tools that the conformance suite calls, under its names and with its schemas.

Fixture values only; the pauses are the suite's, so that notifications arrive one by one.
"""

import asyncio
from typing import Any

from mcp import MCPError
from mcp_types import (
    INVALID_PARAMS,
    MISSING_REQUIRED_CLIENT_CAPABILITY,
    AudioContent,
    CallToolRequestParams,
    CallToolResult,
    ContentBlock,
    EmbeddedResource,
    ImageContent,
    ListToolsResult,
    PaginatedRequestParams,
    TextContent,
    TextResourceContents,
)
from mcp_types import (
    Tool as ToolDescription,
)

from tests.support.everything_app_content import PNG
from tests.support.everything_app_input import INPUT_TOOLS, Context, Tool, ToolResult, said

_WAV = "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAAB9AAACABAAZGF0YQIAAAAAAA=="
_PAUSE_SECONDS = 0.05
_NO_ARGUMENTS: dict[str, Any] = {"type": "object", "properties": {}}
_SCHEMAS: dict[str, dict[str, Any]] = {
    "json_schema_2020_12_tool": {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": {"street": {"type": "string"}, "city": {"type": "string"}},
            }
        },
        "properties": {
            "name": {"type": "string"},
            "address": {"$ref": "#/$defs/address"},
            "contactMethod": {"type": "string", "enum": ["phone", "email"]},
            "phone": {"type": "string"},
            "email": {"type": "string"},
        },
        "allOf": [{"anyOf": [{"required": ["phone"]}, {"required": ["email"]}]}],
        "if": {"properties": {"contactMethod": {"const": "phone"}}, "required": ["contactMethod"]},
        "then": {"required": ["phone"]},
        "else": {"required": ["email"]},
        "additionalProperties": False,
    },
    "test_custom_header": {
        "type": "object",
        "properties": {"region": {"type": "string", "x-mcp-header": "Region"}},
        "required": ["region"],
    },
}


def _returning(*content: ContentBlock) -> Tool:
    async def tool(_context: Context, _params: CallToolRequestParams) -> ToolResult:
        return CallToolResult(content=list(content))

    return tool


async def _fail(_context: Context, _params: CallToolRequestParams) -> ToolResult:
    return said("This tool intentionally returns an error for testing", is_error=True)


async def _log(context: Context, _params: CallToolRequestParams) -> ToolResult:
    for text in ("Tool execution started", "Tool processing data", "Tool execution completed"):
        await context.session.send_log_message("info", text, related_request_id=context.request_id)
        await asyncio.sleep(_PAUSE_SECONDS)
    return said("Logged three times.")


async def _report_progress(context: Context, _params: CallToolRequestParams) -> ToolResult:
    for done in (0, 50, 100):
        await context.session.report_progress(done, 100)
        await asyncio.sleep(_PAUSE_SECONDS)
    return said("Reported three times.")


async def _need_sampling(context: Context, _params: CallToolRequestParams) -> ToolResult:
    declared = context.session.client_capabilities
    if declared is None or declared.sampling is None:
        raise MCPError(
            MISSING_REQUIRED_CLIENT_CAPABILITY,
            "This tool needs sampling",
            {"requiredCapabilities": {"sampling": {}}},
        )
    return said("The client can sample.")


async def _region(_context: Context, params: CallToolRequestParams) -> ToolResult:
    return said(f"Region: {(params.arguments or {}).get('region')}")


def _resource(uri: str, mime_type: str, text: str) -> EmbeddedResource:
    return EmbeddedResource(resource=TextResourceContents(uri=uri, mime_type=mime_type, text=text))


TOOLS: dict[str, Tool] = {
    "test_simple_text": _returning(TextContent(text="This is a simple text response for testing.")),
    "test_image_content": _returning(ImageContent(data=PNG, mime_type="image/png")),
    "test_audio_content": _returning(AudioContent(data=_WAV, mime_type="audio/wav")),
    "test_embedded_resource": _returning(
        _resource("test://embedded-resource", "text/plain", "This is an embedded resource content.")
    ),
    "test_multiple_content_types": _returning(
        TextContent(text="Multiple content types test:"),
        ImageContent(data=PNG, mime_type="image/png"),
        _resource(
            "test://mixed-content-resource", "application/json", '{"test":"data","value":123}'
        ),
    ),
    "test_error_handling": _fail,
    "test_tool_with_logging": _log,
    "test_logging_tool": _log,
    "test_tool_with_progress": _report_progress,
    "test_missing_capability": _need_sampling,
    "json_schema_2020_12_tool": _returning(TextContent(text="Valid.")),
    "test_custom_header": _region,
    **INPUT_TOOLS,
}


def input_schema(name: str) -> dict[str, Any] | None:
    """The schema of a tool's arguments; None for a name that is no tool."""
    return _SCHEMAS.get(name, _NO_ARGUMENTS) if name in TOOLS else None


async def list_tools(_context: Context, _params: PaginatedRequestParams | None) -> ListToolsResult:
    """All tools."""
    return ListToolsResult(
        tools=[
            ToolDescription(
                name=name,
                description=f"Fixture of the conformance suite: {name}",
                input_schema=_SCHEMAS.get(name, _NO_ARGUMENTS),
            )
            for name in TOOLS
        ]
    )


async def call_tool(context: Context, params: CallToolRequestParams) -> ToolResult:
    """Call a tool by name."""
    tool = TOOLS.get(params.name)
    if tool is None:
        raise MCPError(INVALID_PARAMS, "Unknown tool")
    return await tool(context, params)
