"""The site's own tools through the composed function, over the fake site and Postgres."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from mcp import MCPError
from mcp_types import TextContent

from functions.mcp_endpoint.tools.input_schemas import SCHEMA_BYTES_MAX
from tests.integration.mcp_endpoint.pieces import Stack, a_stack
from tests.support.clock import DatabaseClock
from tests.unit.mcp_endpoint.pieces import MODES, tool_call

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
OWN = ["search_tutorials", "get_tutorial", "search", "fetch", "account_status"]
MAYAS = [
    "category_list",
    "content_search",
    "guide_list",
    "public_ping",
    "user_bookmarks",
    "user_me",
]

HOSTILE: list[Any] = [
    {"name": "with.dots.and spaces", "inputSchema": {"type": "object", "properties": []}},
    {"name": "n" * 200, "description": "long"},
    {"name": "n" * 200 + "x", "description": "long, and almost a twin"},
    {"name": "twin.a", "inputSchema": {}},
    {"name": "twin_a", "inputSchema": {}},
    {"name": "twin a", "inputSchema": {}},
    {"name": "twin.a", "description": "the same name again"},
    {"name": "search", "description": "named like ours"},
    {"name": "account.status", "description": "becomes named like ours"},
    {"name": "инструмент", "description": "<script>alert(1)</script><b>Bold</b> words"},
    {"name": "", "description": "no name"},
    {"name": 7, "description": "no text"},
    {"description": "no name at all"},
    "no object",
    None,
    {"name": "wrong.types", "title": ["x"], "description": {"x": 1}, "annotations": "none"},
    {"name": "schema.string", "inputSchema": "object"},
    {"name": "schema.array", "inputSchema": {"type": "array"}},
    {"name": "schema.remote", "inputSchema": {"properties": {"a": {"$ref": "https://e.org/s"}}}},
    {"name": "schema.loop", "inputSchema": {"properties": {"a": {"$ref": "#/$defs/a"}},
                                            "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}}}},
    {"name": "schema.huge", "inputSchema": {"properties": {"a": {"enum": ["x" * 20_000]}}}},
    {"name": "schema.odd", "inputSchema": {"properties": {"a": {"type": "int", "minLength": "3"},
                                                          "b": [], "c c": {}, "d": "text"},
                                           "required": {"a": True}}},
    {"name": "description.huge", "description": "<p>word</p> " * 100_000},
    {"name": "null\x00byte", "inputSchema": {}},
    {"name": "needs.more", "annotations": {"auth": {"scopes": ["admin:access"]}}},
    {"name": "scopes.object", "annotations": {"auth": {"scopes": {"0": "tutorial:read"}}}},
]  # fmt: skip


def _names(answer: Any) -> list[str]:
    return [tool.name for tool in answer.tools]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("dialect", [5, 6])
async def test_a_person_sees_and_calls_the_tools_that_the_site_has_for_them(
    database_url: str, kms_key_id: str, dialect: int, mode: str
) -> None:
    async with a_stack(database_url, kms_key_id, dialect=dialect) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya, mode=mode) as client:
            listed = await client.list_tools()
            me = await client.call_tool("user_me")
            found = await client.call_tool("content_search", {"query": "views"})
        usage = await stack.usage()

    names = _names(listed)
    assert names[:5] == OWN
    assert names[5:] == sorted(names[5:])
    assert set(MAYAS) <= set(names)
    assert "admin_only" not in names
    assert me.structured_content["name"] == "maya"
    assert isinstance(me.content[0], TextContent)
    assert json.loads(me.content[0].text)["uid"] == "2"
    assert not found.is_error
    assert [row[:2] for row in usage] == [("user_me", "ok"), ("content_search", "ok")]


async def test_tools_that_our_own_wrap_or_that_need_other_scopes_are_not_listed(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya) as client:
            names = _names(await client.list_tools())

    # The first two are behind search_tutorials and get_tutorial; the last changes bookmarks, by a
    # scope that is not asked of the site.
    assert not {"dme_mcp-search_content", "tutorial_get", "user_bookmark_add"} & set(names)


async def test_the_list_is_the_persons_own(database_url: str, kms_key_id: str) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        stack.site.control.set(permissions_removed={"member": ["view member tutorials"]})
        stack.site.control.remove_permission("authenticated", "access mcp tool discovery")
        stack.site.control.set(permissions_added={"member": ["access mcp tool discovery"]})
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        async with stack.client(maya) as client:
            mayas = _names(await client.list_tools())
        async with stack.client(felix) as client:
            felixs = _names(await client.list_tools())

    assert set(MAYAS) <= set(mayas)
    assert felixs == OWN


async def test_the_site_is_asked_once_in_five_minutes(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        seen = []
        for seconds in (0, 250, 100):
            clock.advance(seconds)
            async with stack.client(maya) as client:
                seen.append(_names(await client.list_tools()))
        asked = _listings(stack)

    assert seen[0] == seen[1] == seen[2]
    assert asked == 2


async def test_another_process_reads_the_list_from_the_database(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya) as client:
            before = await client.list_tools()
        stack.forget()
        async with stack.client(maya) as client:
            after = await client.list_tools()
            called = await client.call_tool("public_ping")
        asked = _listings(stack)

    assert after.tools == before.tools
    assert called.structured_content["pong"] is True
    assert asked == 1


async def test_a_site_that_is_away_costs_its_own_tools_only_after_a_day(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya) as client:
            before = _names(await client.list_tools())
        stack.site.control.set(maintenance=True)
        seen = []
        for seconds in (20_000, 60_000, 7_000):
            clock.advance(seconds)
            maya = await stack.renew(maya)
            async with stack.client(maya) as client:
                seen.append(_names(await client.list_tools()))

    assert seen == [before, before, OWN]


async def test_hostile_names_and_schemas_are_repaired_or_left_out(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.set(tools_listed_too=HOSTILE, tools_page_size=3)
        async with stack.client(maya) as client:
            listed = await client.list_tools()
        stack.forget()
        async with stack.client(maya) as client:
            again = await client.list_tools()

    names = _names(listed)
    assert set(MAYAS) | set(OWN) <= set(names)
    assert len(names) == len(set(names))
    assert len([name for name in names if name.startswith("twin_a")]) == 3
    assert len([name for name in names if name.startswith("nnnn")]) == 2
    assert {"with_dots_and_spaces", "schema_odd", "wrong_types", "scopes_object"} <= set(names)
    assert not {"schema_string", "schema_remote", "schema_loop", "needs_more"} & set(names)
    for tool in listed.tools:
        assert NAME.fullmatch(tool.name)
        Draft202012Validator.check_schema(tool.input_schema)
        assert tool.input_schema["type"] == "object"
        assert isinstance(tool.input_schema["properties"], dict)
        assert len(json.dumps(tool.input_schema)) <= SCHEMA_BYTES_MAX
        assert tool.description is not None
        assert len(tool.description) <= 1_000
        assert "<" not in tool.description
    assert again.tools == listed.tools


async def test_a_name_keeps_its_meaning_when_a_twin_appears(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.set(tools_listed_too=[{"name": "twin_b", "title": "First"}])
        async with stack.client(maya) as client:
            await client.list_tools()
        stack.site.control.set(
            tools_listed_too=[
                {"name": "twin.b", "title": "Second"},
                {"name": "twin_b", "title": "First"},
            ]
        )
        clock.advance(400)
        stack.forget()
        maya = await stack.renew(maya)
        async with stack.client(maya) as client:
            tools = {tool.title: tool.name for tool in (await client.list_tools()).tools}

    assert tools["First"] == "twin_b"
    assert re.fullmatch(r"twin_b_[0-9a-f]{8}", tools["Second"])


@pytest.mark.parametrize("mode", MODES)
async def test_arguments_are_checked_before_the_site_is_asked(
    database_url: str, kms_key_id: str, mode: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya, mode=mode) as client:
            await client.list_tools()
            refused = await client.call_tool("content_search", {"limit": "secret-value"})
        asked = stack.site.control.count("rpc:content.search")

    error = refused.structured_content["error"]
    assert refused.is_error
    assert error["code"] == "arguments_invalid"
    assert [problem["field"] for problem in error["problems"]] == ["arguments", "limit"]
    assert "secret" not in refused.model_dump_json()
    assert asked == 0


@pytest.mark.parametrize("mode", MODES)
async def test_a_tool_that_the_site_knows_no_more_is_unknown_and_the_list_read_anew(
    database_url: str, kms_key_id: str, mode: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.set(tools_listed_too=[{"name": "gone.tool"}])
        async with stack.client(maya, mode=mode) as client:
            before = _names(await client.list_tools())
        stack.site.control.set(tools_listed_too=[])
        async with stack.client(maya, mode=mode) as client:
            with pytest.raises(MCPError) as caught:
                await client.call_tool("gone_tool")
        async with stack.client(maya, mode=mode) as client:
            after = _names(await client.list_tools())

    assert "gone_tool" in before
    assert (caught.value.code, caught.value.data["code"]) == (-32602, "tool_unknown")
    assert "gone_tool" not in after


async def test_an_unknown_name_is_asked_for_at_the_site_and_is_a_protocol_error(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        for _ in range(3):
            answer = await stack.post(tool_call("no_such_tool"), maya.token)
            assert answer.json()["error"]["code"] == -32602
        asked = _listings(stack)

    # Every time: a membership that has just begun may have brought the tool.
    assert asked == 3


async def test_without_the_permission_the_sites_tools_are_neither_listed_nor_callable(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        narrow = await stack.sign_in("maya", scopes=("tutorial:search", "tutorial:read"))
        async with stack.client(maya) as client:
            await client.list_tools()
        async with stack.client(narrow) as client:
            listed = _names(await client.list_tools())
        refused = await stack.post(tool_call("user_me"), narrow.token)
        unknown = await stack.post(tool_call("no_such_tool"), narrow.token)
        asked = _listings(stack)

    assert listed == OWN
    assert refused.status_code == 403
    assert 'scope="tutorial:search tutorial:read site:tools"' in refused.headers["www-authenticate"]
    assert refused.json()["error"]["data"]["scope"] == "tutorial:search tutorial:read site:tools"
    assert unknown.json()["error"]["code"] == -32602
    assert asked == 1


async def test_where_they_are_not_offered_the_sites_tools_are_unknown_also_to_old_sessions(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya) as client:
            assert "user_me" in _names(await client.list_tools())
    async with a_stack(database_url, kms_key_id, site_tools_enabled="false") as stack:
        maya = await stack.sign_in("maya")
        async with stack.client(maya) as client:
            listed = _names(await client.list_tools())
            status = await client.call_tool("account_status", {})
        unknown = await stack.post(tool_call("user_me"), maya.token)
        challenged = await stack.post(tool_call("user_me"), "none")
        asked = _listings(stack)

    assert listed == OWN
    assert status.structured_content["scopes"] == ["tutorial:search", "tutorial:read"]
    assert status.structured_content["what_to_do"].startswith("Nothing")
    assert unknown.json()["error"]["data"]["code"] == "tool_unknown"
    assert challenged.json()["error"]["data"]["scope"] == "tutorial:search tutorial:read"
    assert asked == 0


async def test_a_grant_that_the_site_took_back_is_a_401_for_a_listing_too(
    database_url: str, kms_key_id: str, clock: DatabaseClock
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        clock.advance(3_600)
        stack.site.control.advance(60 * 86_400)
        answer = await stack.post({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, maya.token)

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "grant_ended"


def _listings(stack: Stack) -> int:
    return sum(entry.path == "/mcp/tools/list" for entry in stack.site.control.requests())
