"""Calls of the site's own tools: arguments checked at our door, results bounded.

Never changes what is asked of the site, and never decides whether a person may ask: it does.
"""

import json
from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import JsonValue

from functions.mcp_endpoint.tools.argument_checks import argument_problems
from functions.mcp_endpoint.tools.definitions import ArgumentsInvalidError, ToolResult
from functions.mcp_endpoint.tools.site_requests import SiteRequests
from shared.domain.grants import AuthenticatedCall
from shared.domain.scopes import Scope
from shared.domain.site_tools import SiteTool
from shared.observability import request_context
from shared.upstream.drupal_tools import ListedTool
from shared.upstream.failures import UpstreamAnswerInvalidError
from shared.upstream.markdown import to_markdown

Arguments = dict[str, JsonValue]

RESULT_CHARACTERS_MAX = 40_000
HTML_CHARACTERS_MAX = 400_000
STRUCTURED_DEPTH_MAX = 50
METRIC_NAME = "site_tool"
"""Of all of them together: their names are the site's, and without number."""


class ToolSite(Protocol):
    """The site's tools."""

    async def list_tools(
        self, *, access_token: str, timeout_seconds: float
    ) -> tuple[ListedTool, ...]:
        """Every tool of the person with this token."""
        ...

    async def call(
        self,
        name: str,
        arguments: Mapping[str, JsonValue],
        *,
        access_token: str,
        timeout_seconds: float,
    ) -> JsonValue:
        """The result of one tool."""
        ...


class SiteToolRunner:
    """Calls tools of one site."""

    def __init__(self, requests: SiteRequests, site: ToolSite, *, base_url: str) -> None:
        self._requests = requests
        self._site = site
        self._base_url = base_url

    async def run(
        self, tool: SiteTool, call: AuthenticatedCall, arguments: Arguments
    ) -> ToolResult:
        """The tool's result.

        Raises:
            SiteToolGoneError: the site does not know the tool (any more).
            UpstreamAnswerInvalidError: the result is nothing that JSON can say.
        """
        request_context.note(site_tool=tool.name)
        result = await self._requests.run(
            call,
            lambda token, seconds: self._site.call(
                tool.site_name, arguments, access_token=token, timeout_seconds=seconds
            ),
        )
        return site_tool_result(result, base_url=self._base_url)


class OfferedSiteTool:
    """One tool of the site, ready to be called."""

    scope: Scope | None = Scope.SITE_TOOLS
    metric_name = METRIC_NAME

    def __init__(self, tool: SiteTool, runner: SiteToolRunner) -> None:
        self.tool = tool
        self.name = tool.name
        self._runner = runner

    def parse(self, arguments: dict[str, Any] | None) -> Arguments:
        """Check arguments against the tool's schema.

        Raises:
            ArgumentsInvalidError: naming each field and its rule.
        """
        given = arguments or {}
        problems = argument_problems(self.tool.input_schema, given)
        if problems:
            raise ArgumentsInvalidError(problems, {"fields_wrong": len(problems)})
        return given

    async def run(self, call: AuthenticatedCall, arguments: Arguments) -> ToolResult:
        """Call the tool."""
        return await self._runner.run(self.tool, call, arguments)


def site_tool_result(result: JsonValue, *, base_url: str) -> ToolResult:
    """A result of the site as text and, where it fits, as structured content.

    Raises:
        UpstreamAnswerInvalidError: not a number, or nested without end.
    """
    try:
        # The round trip leaves no half of a surrogate pair, which no answer could carry.
        text = json.dumps(result, ensure_ascii=False, allow_nan=False)
        text = text.encode("utf-8", "replace").decode("utf-8")
        clean = json.loads(text)
    except (ValueError, RecursionError):
        raise UpstreamAnswerInvalidError({"rule": "tool_result"}) from None
    fits = len(text) <= RESULT_CHARACTERS_MAX and _depth(clean) <= STRUCTURED_DEPTH_MAX
    structured = clean if isinstance(clean, dict) else {"result": clean}
    if isinstance(clean, str):
        text = to_markdown(clean[:HTML_CHARACTERS_MAX], base_url=base_url)
    return ToolResult(text=_bounded(text), structured=structured if fits else None)


def _bounded(text: str) -> str:
    if len(text) <= RESULT_CHARACTERS_MAX:
        return text
    told = f"Cut after {RESULT_CHARACTERS_MAX} of {len(text)} characters: ask for less."
    return f"{text[:RESULT_CHARACTERS_MAX]}\n\n---\n{told}"


def _depth(value: object) -> int:
    """How deep a value is nested; counts no further than the limit."""
    level, depth = [value], 0
    while level and depth <= STRUCTURED_DEPTH_MAX:
        depth += 1
        level = [item for node in level for item in _members(node)]
    return depth


def _members(node: object) -> list[object]:
    if isinstance(node, dict):
        return list(node.values())
    return node if isinstance(node, list) else []
