"""Tutorials as resources, and the prompts, as the SDK's own client sees them in every mode."""

import logging
from typing import Any

import pytest
from mcp import MCPError
from mcp_types import CacheableResult, ResourceLink, TextContent, TextResourceContents

from functions.mcp_endpoint.bearer import AccessWithdrawnError
from shared.upstream.failures import ContentNotFoundError, UpstreamUnavailableError
from tests.unit.mcp_endpoint.pieces import MODES, a_call, an_endpoint

every_mode = pytest.mark.parametrize("mode", MODES)
URI = "drupal://tutorial/7"


def _message(method: str, **params: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}


@every_mode
async def test_a_search_result_links_to_a_resource_that_can_be_read(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        found = await client.call_tool("search_tutorials", {"query": "plugin", "limit": 7})
        links = [item for item in found.content if isinstance(item, ResourceLink)]
        read = await client.read_resource(links[-1].uri)

    [content] = read.contents
    assert [link.uri for link in links] == [f"drupal://tutorial/{n}" for n in range(1, 8)]
    assert (links[0].title, links[0].mime_type) == ("Tutorial 1", "text/markdown")
    assert isinstance(content, TextResourceContents)
    assert (content.uri, content.mime_type) == (URI, "text/markdown")
    assert content.text.startswith("# Write a plugin")
    assert content.text.endswith("Second paragraph.")
    assert [(row.tool, row.outcome, row.content_id) for row in endpoint.usage][1:] == [
        ("read_resource", "ok", "7")
    ]


@every_mode
async def test_one_template_is_offered_and_no_list_of_everything(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        templates = (await client.list_resource_templates()).resource_templates
        resources = (await client.list_resources()).resources

    assert [template.uri_template for template in templates] == ["drupal://tutorial/{id}"]
    assert resources == []


@pytest.mark.parametrize(
    ("mode", "code"), [("auto", -32602), ("2026-07-28", -32602), ("legacy", -32002)]
)
@pytest.mark.parametrize(
    "uri",
    [
        "test://nonexistent",
        "drupal://tutorial/",
        "drupal://tutorial/%0a",
        f"drupal://tutorial/{'x' * 201}",
        "drupal://course/1",
        URI,
    ],
)
async def test_an_unknown_resource_is_the_revisions_own_error_with_its_address(
    mode: str, code: int, uri: str
) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        endpoint.site.failure = ContentNotFoundError()
        with pytest.raises(MCPError) as caught:
            await client.read_resource(uri)

    assert caught.value.code == code
    assert caught.value.data["uri"] == uri
    assert caught.value.data["code"] == "content_not_found"


async def test_an_address_is_unescaped_once() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.documents["a/b %2F"] = endpoint.site.documents["7"]
        message = _message("resources/read", uri="drupal://tutorial/a%2Fb%20%252F")
        answer = await endpoint.post(message, endpoint.bearers.issue())

    assert "Write a plugin" in answer.json()["result"]["contents"][0]["text"]


async def test_a_site_that_is_away_is_not_taken_for_a_missing_resource() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = UpstreamUnavailableError()
        answer = await endpoint.post(_message("resources/read", uri=URI), endpoint.bearers.issue())

    error = answer.json()["error"]
    assert error["code"] not in {-32602, -32002}
    assert error["data"]["code"] == "upstream_unavailable"
    assert error["data"]["retry_after_seconds"] == 15


async def test_a_grant_that_dies_while_reading_becomes_a_401() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = AccessWithdrawnError()
        answer = await endpoint.post(_message("resources/read", uri=URI), endpoint.bearers.issue())

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "grant_ended"


@pytest.mark.parametrize(
    ("message", "scopes"),
    [
        (_message("resources/read", uri=URI), "tutorial:search tutorial:read"),
        (_message("prompts/get", name="study_plan"), "tutorial:search tutorial:read"),
    ],
)
async def test_what_the_session_does_not_allow_is_a_403(
    message: dict[str, Any], scopes: str
) -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue(a_call(scopes=("tutorial:search",)))
        answer = await endpoint.post(message, token)

    assert answer.status_code == 403
    assert answer.json()["error"]["data"]["scope"] == scopes
    assert endpoint.site.tokens == []


@every_mode
async def test_what_the_session_does_not_allow_is_not_listed(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint:
        token = endpoint.bearers.issue(a_call(scopes=("tutorial:search", "site:tools")))
        async with endpoint.client(token, mode=mode) as client:
            templates = (await client.list_resource_templates()).resource_templates
            prompts = (await client.list_prompts()).prompts

    assert (templates, prompts) == ([], [])


@every_mode
async def test_a_prompt_is_filled_with_its_arguments(mode: str) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        prompts = (await client.list_prompts()).prompts
        explained = await client.get_prompt(
            "explain_topic", {"topic": "render arrays", "drupal_version": "11", "experience": " "}
        )
        planned = await client.get_prompt(
            "study_plan", {"goal": "build a theme", "hours_per_week": "4", "known": "CSS"}
        )

    assert [prompt.name for prompt in prompts] == ["explain_topic", "study_plan"]
    assert all(prompt.title and prompt.description for prompt in prompts)
    texts = []
    for got in (explained, planned):
        [message] = got.messages
        assert message.role == "user"
        assert isinstance(message.content, TextContent)
        texts.append(message.content.text)
    assert "in Drupal 11: render arrays" in texts[0]
    assert "new to it" in texts[0]
    assert "search_tutorials" in texts[0]
    assert "My goal: build a theme. I have 4 hours a week. I know already: CSS." in texts[1]


@every_mode
@pytest.mark.parametrize(
    ("name", "arguments", "code", "fields"),
    [
        ("no_such_prompt", {}, "prompt_unknown", None),
        ("explain_topic", {}, "arguments_invalid", ["topic"]),
        ("explain_topic", {"topic": " "}, "arguments_invalid", ["topic"]),
        ("study_plan", {"goal": "x" * 501}, "arguments_invalid", ["goal"]),
        ("study_plan", {"goal": "x", "secret": "y"}, "arguments_invalid", ["arguments"]),
    ],
)
async def test_a_wrong_prompt_is_invalid_params_and_no_trace_in_the_log(
    caplog: pytest.LogCaptureFixture,
    mode: str,
    name: str,
    *,
    arguments: dict[str, str],
    code: str,
    fields: list[str] | None,
) -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode=mode) as client:
        with caplog.at_level(logging.WARNING), pytest.raises(MCPError) as caught:
            await client.get_prompt(name, arguments)

    data = caught.value.data
    assert (caught.value.code, data["code"]) == (-32602, code)
    assert fields == ([item["field"] for item in data["problems"]] if fields else None)
    assert "secret" not in str(data)
    assert [record for record in caplog.records if record.exc_info] == []


async def test_lists_may_be_kept_by_this_person_only() -> None:
    async with an_endpoint(served=True) as endpoint, endpoint.client(mode="2026-07-28") as client:
        kept: list[CacheableResult] = [
            await client.list_tools(),
            await client.list_prompts(),
            await client.list_resources(),
            await client.list_resource_templates(),
        ]
        read = await client.read_resource(URI)

    assert {(answer.cache_scope, answer.ttl_ms) for answer in kept} == {("private", 300_000)}
    assert (read.cache_scope, read.ttl_ms) == ("private", 60_000)
