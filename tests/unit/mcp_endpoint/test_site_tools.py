"""A call of one of the site's tools: what goes there, what comes back, what is noted."""

import json
import re
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import TextContent

from functions.mcp_endpoint.tools.site_tools import (
    RESULT_CHARACTERS_MAX,
    STRUCTURED_DEPTH_MAX,
    site_tool_result,
)
from shared.observability import metrics
from shared.upstream.drupal_tools import ListedTool, SiteToolGoneError
from shared.upstream.failures import (
    AccessForbiddenError,
    InsufficientUpstreamScopeError,
    UpstreamAnswerInvalidError,
)
from tests.unit.mcp_endpoint.pieces import MODES, a_call, an_endpoint, tool_call

SITE = "https://site.example.org"
ADD = ListedTool(
    name="user.bookmark_add",
    title="Add a bookmark",
    description="Bookmarks one item.",
    input_schema={"properties": {"id": {"type": ["string", "integer"]}}, "required": ["id"]},
)
every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
async def test_a_client_lists_and_calls_a_tool_of_the_site(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.tools = [ADD]
        endpoint.site.tool_results["user.bookmark_add"] = {"bookmarks": ["7"]}
        async with endpoint.client(mode=mode) as client:
            tool = (await client.list_tools()).tools[-1]
            result = await client.call_tool("user_bookmark_add", {"id": 7})

    annotations = tool.annotations
    assert annotations is not None
    assert (tool.name, tool.title, tool.description) == (
        "user_bookmark_add",
        "Add a bookmark",
        "Bookmarks one item.",
    )
    assert (annotations.read_only_hint, annotations.destructive_hint) == (False, True)
    assert tool.output_schema is None
    assert result.structured_content == {"bookmarks": ["7"]}
    assert endpoint.site.tool_calls == [("user.bookmark_add", {"id": 7})]
    assert endpoint.site.tokens[-1] == "site token of 42"
    assert [(row.tool, row.outcome) for row in endpoint.usage] == [("user_bookmark_add", "ok")]


async def test_its_name_is_no_dimension_of_a_metric(capsys: pytest.CaptureFixture[str]) -> None:
    async with an_endpoint() as endpoint:
        metrics.flush()
        capsys.readouterr()
        endpoint.site.tools = [ADD]
        token = endpoint.bearers.issue()
        await endpoint.post(tool_call("user_bookmark_add", {"id": "7"}), token)
        metrics.flush()

    told = capsys.readouterr().out
    assert '"tool":"site_tool"' in told
    assert "bookmark" not in told


async def test_bad_arguments_never_reach_the_site() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.tools = [ADD]
        answer = await endpoint.post(
            tool_call("user_bookmark_add", {"id": ["secret"]}), endpoint.bearers.issue()
        )

    error = answer.json()["result"]["structuredContent"]["error"]
    assert error["problems"] == [{"field": "id", "rule": 'type: ["string", "integer"].'}]
    assert "secret" not in answer.text
    assert endpoint.site.tool_calls == []
    assert [row.outcome for row in endpoint.usage] == ["arguments_invalid"]


@pytest.mark.parametrize(
    ("failure", "code"),
    [
        (AccessForbiddenError(), "subscription_required"),
        (InsufficientUpstreamScopeError(("user:write",)), "insufficient_scope"),
        (UpstreamAnswerInvalidError(), "upstream_answer_invalid"),
        (RuntimeError("secret"), "internal_error"),
    ],
)
async def test_a_refusal_of_the_site_is_a_tool_error(failure: Exception, code: str) -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.tools = [ADD]
        token = endpoint.bearers.issue()
        endpoint.site.failure = failure
        answer = await endpoint.post(tool_call("user_bookmark_add", {"id": "7"}), token)

    assert answer.status_code == 200
    assert answer.json()["result"]["structuredContent"]["error"]["code"] == code
    assert "secret" not in answer.text


@every_mode
async def test_a_tool_that_is_gone_is_unknown_noted_and_looked_for_again(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.tools = [ADD]
        async with endpoint.client(mode=mode) as client:
            await client.list_tools()
            endpoint.site.failure = SiteToolGoneError()
            with pytest.raises(MCPError) as caught:
                await client.call_tool("user_bookmark_add", {"id": "7"})

    assert (caught.value.code, caught.value.data["code"]) == (-32602, "tool_unknown")
    assert [(row.tool, row.outcome) for row in endpoint.usage] == [
        ("user_bookmark_add", "tool_unknown")
    ]


async def test_a_site_that_cannot_list_makes_its_tools_unknown_and_leaves_ours() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.listing_failure = RuntimeError("secret")
        token = endpoint.bearers.issue()
        theirs = await endpoint.post(tool_call("user_bookmark_add", {"id": "7"}), token)
        ours = await endpoint.post(tool_call("search", {"query": "views"}), token)

    assert theirs.json()["result"]["structuredContent"]["error"]["code"] == "internal_error"
    assert ours.json()["result"]["isError"] is False


async def test_without_the_permission_a_listed_tool_is_a_403_and_another_name_unknown() -> None:
    async with an_endpoint() as endpoint:
        call = a_call(scopes=("tutorial:search",))
        endpoint.site.tools = [ADD]
        await endpoint.site_catalogue.tools(call)
        token = endpoint.bearers.issue(call)
        refused = await endpoint.post(tool_call("user_bookmark_add", {"id": "7"}), token)
        unknown = await endpoint.post(tool_call("user_me"), token)

    assert refused.status_code == 403
    assert 'scope="tutorial:search site:tools"' in refused.headers["www-authenticate"]
    assert unknown.json()["error"]["data"]["code"] == "tool_unknown"
    assert endpoint.site.tool_calls == []
    assert endpoint.site.listings == 1


@pytest.mark.parametrize(
    ("result", "text", "structured"),
    [
        ({"a": "ü"}, '{"a": "ü"}', {"a": "ü"}),
        ([], "[]", {"result": []}),
        ([1, None], "[1, null]", {"result": [1, None]}),
        (True, "true", {"result": True}),
        ("# Plain", "# Plain", {"result": "# Plain"}),
        ("<h2>Head</h2><p>Text</p>", "## Head\n\nText", {"result": "<h2>Head</h2><p>Text</p>"}),
        ("half \ud800", "half ?", {"result": "half ?"}),
    ],
)
def test_a_result_is_text_and_structured_content(result: Any, text: str, structured: Any) -> None:
    shown = site_tool_result(result, base_url=SITE)

    assert (shown.text, shown.structured) == (text, structured)


def test_a_large_result_is_cut_and_comes_without_structured_content() -> None:
    large: list[Any] = ["x" * 50_000, {"a": ["x" * 100] * 500}, "<p>word</p>" * 100_000]
    for result in large:
        shown = site_tool_result(result, base_url=SITE)

        assert len(shown.text) < RESULT_CHARACTERS_MAX + 100
        assert re.search(r"Cut after 40000 of \d+ characters", shown.text)
        assert shown.structured is None


def test_a_result_nested_too_deep_is_text_only() -> None:
    deep: Any = "x"
    for _ in range(STRUCTURED_DEPTH_MAX):
        deep = [deep]

    assert site_tool_result({"a": deep[0][0]}, base_url=SITE).structured is not None
    shown = site_tool_result({"a": deep}, base_url=SITE)
    assert shown.structured is None
    assert json.loads(shown.text) == {"a": deep}


@pytest.mark.parametrize("result", [float("nan"), {"a": float("inf")}])
def test_what_json_cannot_say_is_no_answer(result: Any) -> None:
    with pytest.raises(UpstreamAnswerInvalidError):
        site_tool_result(result, base_url=SITE)


async def test_a_result_that_is_only_text_reaches_a_client() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.tools = [ADD]
        endpoint.site.tool_results["user.bookmark_add"] = {"a": ["x" * 100] * 500}
        async with endpoint.client() as client:
            result = await client.call_tool("user_bookmark_add", {"id": "7"})

    assert result.structured_content is None
    assert isinstance(result.content[0], TextContent)
