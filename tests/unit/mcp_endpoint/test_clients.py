"""What the SDK's own client sees, in every mode it has."""

import asyncio
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import TextContent

from tests.unit.mcp_endpoint.pieces import MODES, a_call, an_endpoint

every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
async def test_a_client_lists_searches_and_reads(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        listed = await client.list_tools()
        found = await client.call_tool("search_tutorials", {"query": "plugin", "limit": 2})
        read = await client.call_tool("get_tutorial", {"id": "7"})

    assert [tool.name for tool in listed.tools] == [
        "search_tutorials",
        "get_tutorial",
        "search",
        "fetch",
        "account_status",
    ]
    assert not found.is_error
    assert found.structured_content["next_offset"] == 2
    assert [hit["id"] for hit in found.structured_content["results"]] == ["1", "2"]
    assert isinstance(found.content[0], TextContent)
    assert "**Tutorial 1**" in found.content[0].text
    assert read.structured_content["markdown"] == "First paragraph.\n\nSecond paragraph."
    assert endpoint.site.tokens == ["site token of 42"] * 2


@every_mode
async def test_account_status_tells_who_and_what_to_do(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        result = await client.call_tool("account_status")

    assert result.structured_content["account_id"] == "42"
    assert result.structured_content["client_name"] == "Test client"
    assert result.structured_content["site_connection"] == "ready"
    assert endpoint.site.tokens == []


@every_mode
async def test_progress_reaches_the_client_while_the_site_is_awaited(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        reported = asyncio.Event()
        heard: list[tuple[float, str | None]] = []

        async def on_progress(
            progress: float,
            total: float | None,
            message: str | None,
        ) -> None:
            heard.append((progress, message))
            reported.set()

        endpoint.site.gate.clear()
        calling = asyncio.create_task(
            client.call_tool("get_tutorial", {"id": "7"}, progress_callback=on_progress)
        )
        await asyncio.wait_for(reported.wait(), timeout=10)
        waiting = not calling.done()
        endpoint.site.gate.set()
        result = await calling

    assert waiting
    assert heard[0] == (1.0, "Waiting for the site to answer (1 s)")
    assert not result.is_error


@every_mode
async def test_bad_arguments_are_a_tool_error_that_names_field_and_rule(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        await client.list_tools()
        result = await client.call_tool(
            "search_tutorials", {"query": "x", "limit": 51, "secret-name": "secret-value"}
        )

    error = result.structured_content["error"]
    assert result.is_error
    assert error["code"] == "arguments_invalid"
    assert [problem["field"] for problem in error["problems"]] == ["arguments", "limit", "query"]
    assert "secret" not in result.model_dump_json()
    assert endpoint.site.queries == []


@every_mode
async def test_an_unknown_tool_is_a_protocol_error(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        with pytest.raises(MCPError) as caught:
            await client.call_tool("no_such_tool")

    assert caught.value.code == -32602
    assert caught.value.data["code"] == "tool_unknown"
    assert endpoint.usage == []


@every_mode
async def test_only_tools_that_the_session_may_call_are_listed(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        token = endpoint.bearers.issue(a_call(scopes=("tutorial:search",)))
        async with endpoint.client(token, mode=mode) as client:
            listed = await client.list_tools()

    assert [tool.name for tool in listed.tools] == ["search_tutorials", "search", "account_status"]


async def test_the_tool_list_may_be_kept_by_this_person_only() -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode="2026-07-28") as client:
        listed = await client.list_tools()

    assert (listed.cache_scope, listed.ttl_ms) == ("private", 300_000)


async def test_the_server_says_what_it_is_and_how_to_use_it() -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode="legacy") as client:
        info: Any = client.server_info
        instructions = client.instructions

    assert (info.name, info.title, info.version) == (
        "drupalize-mcp",
        "Example tutorials",
        "1.2.3",
    )
    assert "search_tutorials" in (instructions or "")


async def test_neither_subscriptions_nor_list_changes_are_promised() -> None:
    async with an_endpoint(served=True) as endpoint:
        for mode in MODES:
            async with endpoint.client(mode=mode) as client:
                capabilities: Any = client.server_capabilities

            assert not (capabilities.tools and capabilities.tools.list_changed)


async def test_every_tool_declares_that_it_only_reads_and_has_an_output_schema() -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client() as client:
        listed = await client.list_tools()

    for tool in listed.tools:
        assert tool.annotations is not None
        assert tool.annotations.read_only_hint
        assert tool.output_schema is not None
        assert tool.output_schema["type"] == "object"
        assert tool.input_schema["additionalProperties"] is False
