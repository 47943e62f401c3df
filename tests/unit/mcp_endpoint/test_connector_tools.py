"""``search`` and ``fetch``, in exactly the shape that ChatGPT's connectors take."""

import json
from dataclasses import replace

import pytest
from mcp_types import TextContent

from functions.mcp_endpoint.tools.connector_tools import TEXT_CHARACTERS_MAX
from tests.unit.mcp_endpoint.pieces import MODES, an_endpoint, tool_call

every_mode = pytest.mark.parametrize("mode", MODES)


@every_mode
async def test_search_gives_id_title_and_url_as_json_text_and_as_structured_content(
    mode: str,
) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        result = await client.call_tool("search", {"query": "plugins"})

    [content] = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == result.structured_content
    assert result.structured_content["results"][0] == {
        "id": "1",
        "title": "Tutorial 1",
        "url": "https://site.example.org/tutorial/1",
    }
    assert set(result.structured_content) == {"results"}
    assert len(result.structured_content["results"]) == 10


@every_mode
async def test_fetch_gives_one_document_as_json_text_and_as_structured_content(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        result = await client.call_tool("fetch", {"id": "7"})

    [content] = result.content
    assert isinstance(content, TextContent)
    assert json.loads(content.text) == result.structured_content
    assert result.structured_content == {
        "id": "7",
        "title": "Write a plugin",
        "text": "First paragraph.\n\nSecond paragraph.",
        "url": "https://site.example.org/tutorial/write-plugin",
        "metadata": {"type": "tutorial", "drupal_versions": "10, 11"},
    }


async def test_each_takes_one_text_and_nothing_else() -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client() as client:
        tools = {tool.name: tool for tool in (await client.list_tools()).tools}

    for name, argument in (("search", "query"), ("fetch", "id")):
        schema = tools[name].input_schema
        assert list(schema["properties"]) == schema["required"] == [argument]
        assert schema["properties"][argument]["type"] == "string"
        assert schema["additionalProperties"] is False
        annotations = tools[name].annotations
        assert annotations is not None
        assert annotations.read_only_hint


async def test_a_whole_question_is_cut_to_the_words_that_the_site_takes() -> None:
    question = "how do I write a plugin " * 20
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        for query in (question, "x" * 500):
            await endpoint.post(tool_call("search", {"query": query}), token)

    first, second = (query.keywords for query in endpoint.site.queries)
    assert question.startswith(first)
    assert 190 < len(first) <= 200
    assert first.split()[-1] in question.split()
    assert second == "x" * 200


async def test_a_long_text_is_cut_and_says_how_to_go_on() -> None:
    async with an_endpoint() as endpoint:
        document = replace(endpoint.site.documents["7"], markdown="y" * 70_000)
        endpoint.site.documents["7"] = document
        answer = await endpoint.post(tool_call("fetch", {"id": "7"}), endpoint.bearers.issue())

    fetched = answer.json()["result"]["structuredContent"]
    assert len(fetched["text"]) == TEXT_CHARACTERS_MAX
    assert f"continue_from {TEXT_CHARACTERS_MAX}" in fetched["metadata"]["truncated"]
    assert "70000" in fetched["metadata"]["truncated"]


async def test_both_are_noted_under_their_own_names() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        await endpoint.post(tool_call("search", {"query": "views"}), token)
        await endpoint.post(tool_call("fetch", {"id": "7"}), token)

    rows = [(row.tool, row.outcome, row.content_id, row.result_count) for row in endpoint.usage]
    assert rows == [("search", "ok", None, 10), ("fetch", "ok", "7", 1)]
