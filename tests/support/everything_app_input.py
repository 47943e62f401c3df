"""Tools that ask the client for input before they finish (MCP 2026-07-28), as the suite wants them.

Keeps nothing between rounds: what a round must remember travels in the request state.
"""

from collections.abc import Awaitable, Callable
from typing import Any

from mcp.server.context import ServerRequestContext
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    CreateMessageRequest,
    CreateMessageRequestParams,
    ElicitResult,
    InputRequest,
    InputRequiredResult,
    InputResponses,
    ListRootsRequest,
    SamplingMessage,
    TextContent,
)

from tests.support.everything_app_content import question_for

Context = ServerRequestContext[Any, Any]
ToolResult = CallToolResult | InputRequiredResult
Tool = Callable[[Context, CallToolRequestParams], Awaitable[ToolResult]]

_FIRST_STATE = "round-1"
_SECOND_STATE = "round-2"


def said(text: str, *, is_error: bool = False) -> CallToolResult:
    """A result of one text."""
    return CallToolResult(content=[TextContent(text=text)], is_error=is_error)


def _sampling(prompt: str, tokens_max: int) -> CreateMessageRequest:
    message = SamplingMessage(role="user", content=TextContent(text=prompt))
    return CreateMessageRequest(
        params=CreateMessageRequestParams(messages=[message], max_tokens=tokens_max)
    )


def asking(
    requests: dict[str, InputRequest],
    *,
    state: str | None = None,
    finish: Callable[[InputResponses], str] = lambda _answers: "Thank you.",
) -> Tool:
    """A tool of two rounds: asks until every request has an answer, then finishes."""

    async def tool(_context: Context, params: CallToolRequestParams) -> ToolResult:
        answers = params.input_responses or {}
        if requests.keys() <= answers.keys() and params.request_state == state:
            return said(finish(answers))
        return InputRequiredResult(input_requests=requests, request_state=state)

    return tool


async def _multi_round(_context: Context, params: CallToolRequestParams) -> ToolResult:
    answers = params.input_responses or {}
    if params.request_state == _SECOND_STATE and "step2" in answers:
        return said("All steps are done.")
    if params.request_state == _FIRST_STATE and "step1" in answers:
        color = question_for("color", "Step 2: What is your favorite color?")
        return InputRequiredResult(input_requests={"step2": color}, request_state=_SECOND_STATE)
    name = question_for("name", "Step 1: What is your name?")
    return InputRequiredResult(input_requests={"step1": name}, request_state=_FIRST_STATE)


async def _what_the_client_can(context: Context, params: CallToolRequestParams) -> ToolResult:
    if params.input_responses:
        return said("Thank you.")
    declared = context.session.client_capabilities
    requests: dict[str, InputRequest] = {}
    if declared and declared.sampling is not None:
        requests["sampled"] = _sampling("Say something", 50)
    if declared and declared.elicitation is not None:
        requests["asked"] = question_for("name", "What is your name?")
    return InputRequiredResult(input_requests=requests) if requests else said("Nothing to ask.")


def _greeting(answers: InputResponses) -> str:
    answer = answers["user_name"]
    content = answer.content if isinstance(answer, ElicitResult) else None
    return f"Hello, {(content or {}).get('name', 'stranger')}!"


_NAME = question_for("name", "What is your name?")
_CONFIRM = question_for("ok", "Please confirm", "boolean")

INPUT_TOOLS: dict[str, Tool] = {
    "test_input_required_result_elicitation": asking({"user_name": _NAME}, finish=_greeting),
    "test_input_required_result_sampling": asking(
        {"capital_question": _sampling("What is the capital of France?", 100)}
    ),
    "test_input_required_result_list_roots": asking({"client_roots": ListRootsRequest()}),
    "test_input_required_result_request_state": asking(
        {"confirm": _CONFIRM}, state=_FIRST_STATE, finish=lambda _answers: "state-ok"
    ),
    "test_input_required_result_multiple_inputs": asking(
        {
            "user_name": _NAME,
            "greeting": _sampling("Generate a greeting", 50),
            "client_roots": ListRootsRequest(),
        },
        state=_FIRST_STATE,
    ),
    "test_input_required_result_multi_round": _multi_round,
    "test_input_required_result_tampered_state": asking({"confirm": _CONFIRM}, state=_FIRST_STATE),
    "test_input_required_result_capabilities": _what_the_client_can,
    "test_streaming_elicitation": asking({"user_name": _NAME}, finish=_greeting),
}
