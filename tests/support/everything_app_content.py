"""Resources, prompts and completions that the conformance suite looks for, under its names.

Fixture values only; never an example of how this product words things.
"""

import json
import re
from typing import Any

from mcp import MCPError
from mcp.server.context import ServerRequestContext
from mcp_types import (
    INVALID_PARAMS,
    BlobResourceContents,
    CompleteRequestParams,
    CompleteResult,
    Completion,
    ElicitRequest,
    ElicitRequestFormParams,
    ElicitResult,
    EmbeddedResource,
    GetPromptRequestParams,
    GetPromptResult,
    ImageContent,
    InputRequiredResult,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    PaginatedRequestParams,
    Prompt,
    PromptArgument,
    PromptMessage,
    ReadResourceRequestParams,
    ReadResourceResult,
    Resource,
    ResourceTemplate,
    TextContent,
    TextResourceContents,
)

Context = ServerRequestContext[Any, Any]

PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8z8DwHwAFBQIAX8jx0gAAAABJRU5E"
    "rkJggg=="
)
TEXT_URI = "test://static-text"
BINARY_URI = "test://static-binary"
_TEMPLATE = "test://template/{id}/data"
_TEMPLATE_PATTERN = re.compile(r"test://template/([^/]+)/data")

_PROMPTS = [
    Prompt(name="test_simple_prompt", description="No arguments"),
    Prompt(
        name="test_prompt_with_arguments",
        description="Two arguments",
        arguments=[PromptArgument(name=name, required=True) for name in ("arg1", "arg2")],
    ),
    Prompt(
        name="test_prompt_with_embedded_resource",
        description="A resource inside",
        arguments=[PromptArgument(name="resourceUri", required=True)],
    ),
    Prompt(name="test_prompt_with_image", description="An image inside"),
    Prompt(name="test_input_required_result_prompt", description="Asks for its context first"),
]


async def list_resources(
    _context: Context, _params: PaginatedRequestParams | None
) -> ListResourcesResult:
    """The two resources with a fixed address."""
    return ListResourcesResult(
        resources=[
            Resource(uri=TEXT_URI, name="Text", description="A text", mime_type="text/plain"),
            Resource(uri=BINARY_URI, name="Image", description="An image", mime_type="image/png"),
        ]
    )


async def list_templates(
    _context: Context, _params: PaginatedRequestParams | None
) -> ListResourceTemplatesResult:
    """The one template."""
    template = ResourceTemplate(uri_template=_TEMPLATE, name="Data", description="Data by id")
    return ListResourceTemplatesResult(resource_templates=[template])


async def read_resource(_context: Context, params: ReadResourceRequestParams) -> ReadResourceResult:
    """A resource's content; an unknown address is an invalid parameter (MCP 2026-07-28)."""
    contents: TextResourceContents | BlobResourceContents
    if params.uri == TEXT_URI:
        contents = TextResourceContents(
            uri=params.uri,
            mime_type="text/plain",
            text="This is the content of the static text resource.",
        )
    elif params.uri == BINARY_URI:
        contents = BlobResourceContents(uri=params.uri, mime_type="image/png", blob=PNG)
    elif found := _TEMPLATE_PATTERN.fullmatch(params.uri):
        data = {"id": found[1], "templateTest": True, "data": f"Data for ID: {found[1]}"}
        contents = TextResourceContents(
            uri=params.uri, mime_type="application/json", text=json.dumps(data)
        )
    else:
        raise MCPError(INVALID_PARAMS, "Resource not found", {"uri": params.uri})
    return ReadResourceResult(contents=[contents])


async def list_prompts(
    _context: Context, _params: PaginatedRequestParams | None
) -> ListPromptsResult:
    """All prompts."""
    return ListPromptsResult(prompts=_PROMPTS)


async def get_prompt(
    _context: Context, params: GetPromptRequestParams
) -> GetPromptResult | InputRequiredResult:
    """A prompt's messages."""
    given = params.arguments or {}
    match params.name:
        case "test_simple_prompt":
            return _prompt(_text("This is a simple prompt for testing."))
        case "test_prompt_with_arguments":
            named = ", ".join(f"{name}='{given.get(name, '')}'" for name in ("arg1", "arg2"))
            return _prompt(_text(f"Prompt with arguments: {named}"))
        case "test_prompt_with_embedded_resource":
            resource = TextResourceContents(
                uri=given.get("resourceUri", TEXT_URI),
                mime_type="text/plain",
                text="Embedded resource content for testing.",
            )
            return _prompt(
                EmbeddedResource(resource=resource),
                _text("Please process the embedded resource above."),
            )
        case "test_prompt_with_image":
            image = ImageContent(data=PNG, mime_type="image/png")
            return _prompt(image, _text("Please analyze the image above."))
        case "test_input_required_result_prompt":
            return _prompt_with_context(params)
    raise MCPError(INVALID_PARAMS, "Unknown prompt")


def _prompt_with_context(params: GetPromptRequestParams) -> GetPromptResult | InputRequiredResult:
    answer = (params.input_responses or {}).get("user_context")
    if isinstance(answer, ElicitResult) and answer.content:
        return _prompt(_text(f"Context: {answer.content.get('context')}"))
    question = question_for("context", "What context should the prompt use?")
    return InputRequiredResult(input_requests={"user_context": question})


def question_for(field: str, message: str, kind: str = "string") -> ElicitRequest:
    """A form with one required field."""
    schema: dict[str, Any] = {
        "type": "object",
        "properties": {field: {"type": kind}},
        "required": [field],
    }
    return ElicitRequest(params=ElicitRequestFormParams(message=message, requested_schema=schema))


async def complete(_context: Context, params: CompleteRequestParams) -> CompleteResult:
    """Words that begin with what was typed."""
    words = [word for word in ("paris", "park", "party") if word.startswith(params.argument.value)]
    return CompleteResult(completion=Completion(values=words, total=len(words), has_more=False))


def _text(text: str) -> TextContent:
    return TextContent(text=text)


def _prompt(*parts: TextContent | ImageContent | EmbeddedResource) -> GetPromptResult:
    return GetPromptResult(messages=[PromptMessage(role="user", content=part) for part in parts])
