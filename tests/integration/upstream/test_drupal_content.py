"""Search and reading, from the fake site and from answers odder than it gives."""

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from shared.domain.content import Document, SearchPage, SearchQuery
from shared.upstream.drupal_content import DrupalContent
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.failures import (
    AccessForbiddenError,
    ArgumentsRejectedError,
    ContentNotFoundError,
    SearchUnavailableError,
    UpstreamAnswerInvalidError,
    UpstreamTokenRejectedError,
    UpstreamUnavailableError,
)
from shared.upstream.markdown import is_html
from tests.support.scripted_site import http, scripted_site

QUERY = SearchQuery(keywords="cache", limit=5)


def content_of(base_url: str) -> tuple[DrupalContent, DrupalRpc]:
    rpc = DrupalRpc(DrupalSite(base_url=base_url, client_id="c"))
    content = DrupalContent(rpc, search_method="dme_mcp.search_content", read_method="tutorial.get")
    return content, rpc


@pytest.fixture(params=[5, 6])
async def drupal(request: pytest.FixtureRequest) -> AsyncIterator[RunningFakeDrupal]:
    async with running_fake_drupal(request.param) as running:
        yield running


async def search(drupal: RunningFakeDrupal, query: SearchQuery, name: str = "maya") -> SearchPage:
    content, rpc = content_of(drupal.url)
    token = str(drupal.issue_pair(name)["access_token"])
    try:
        return await content.search(query, access_token=token, timeout_seconds=5)
    finally:
        await rpc.close()


async def read(drupal: RunningFakeDrupal, content_id: str, name: str = "maya") -> Document:
    content, rpc = content_of(drupal.url)
    token = str(drupal.issue_pair(name)["access_token"])
    try:
        return await content.read(content_id, access_token=token, timeout_seconds=5)
    finally:
        await rpc.close()


async def test_a_search_finds_and_pages(drupal: RunningFakeDrupal) -> None:
    first = await search(drupal, SearchQuery(keywords="drupal", limit=3))
    second = await search(drupal, SearchQuery(keywords="drupal", limit=3, offset=3))

    ids = [hit.content_id for page in (first, second) for hit in page.hits]
    assert len(set(ids)) == 6
    assert first.total == second.total > 6
    assert second.offset == 3
    assert all(hit.url.startswith(f"{drupal.url}/") for hit in first.hits)
    assert all(hit.title and hit.drupal_versions and hit.category for hit in first.hits)


async def test_filters_and_order_reach_the_site(drupal: RunningFakeDrupal) -> None:
    page = await search(
        drupal,
        SearchQuery(
            keywords="drupal", types=("tutorial",), drupal_versions=("11",), sort="title", limit=50
        ),
    )

    assert page.hits
    assert {hit.bundle for hit in page.hits} == {"tutorial"}
    assert all("11" in hit.drupal_versions for hit in page.hits)
    assert [hit.title for hit in page.hits] == sorted(hit.title for hit in page.hits)


async def test_every_item_of_the_site_reads_as_markdown(drupal: RunningFakeDrupal) -> None:
    documents = [await read(drupal, content_id) for content_id in drupal.site.content]

    assert len(documents) > 20
    for document in documents:
        assert document.markdown
        assert not is_html(document.markdown)
    assert any("```" in document.markdown for document in documents)


async def test_the_calls_are_posts_that_ask_for_json(drupal: RunningFakeDrupal) -> None:
    await search(drupal, QUERY)

    (entry,) = drupal.control.requests("jsonrpc")
    assert entry.method == "POST"
    assert entry.rpc_method == "dme_mcp.search_content"


async def test_members_content_is_told_apart_from_missing_content(
    drupal: RunningFakeDrupal,
) -> None:
    members_only = next(item for item in drupal.site.content.values() if item.member_only)

    with pytest.raises(AccessForbiddenError):
        await read(drupal, members_only.content_id, "felix")
    with pytest.raises(ContentNotFoundError):
        await read(drupal, "999999")


async def test_arguments_against_the_sites_schema_are_told_apart(
    drupal: RunningFakeDrupal,
) -> None:
    with pytest.raises(ArgumentsRejectedError):
        await search(drupal, SearchQuery(keywords="x"))


async def test_a_dead_search_engine_is_its_own_failure(drupal: RunningFakeDrupal) -> None:
    drupal.control.search_is_down()

    with pytest.raises(SearchUnavailableError):
        await search(drupal, QUERY)


async def test_a_person_without_the_permission_is_told_so(drupal: RunningFakeDrupal) -> None:
    drupal.control.remove_permission("authenticated", "use jsonrpc services")

    with pytest.raises(AccessForbiddenError):
        await search(drupal, QUERY)


@pytest.mark.parametrize("state", ["blocked", "saved"])
async def test_a_dead_token_is_told_apart(drupal: RunningFakeDrupal, state: str) -> None:
    content, rpc = content_of(drupal.url)
    token = str(drupal.issue_pair("maya")["access_token"])
    drupal.control.block_user("maya", blocked=state == "blocked")

    with pytest.raises(UpstreamTokenRejectedError):
        await content.search(QUERY, access_token=token, timeout_seconds=5)
    await rpc.close()


async def scripted(result: Any, *, read_id: str | None = None) -> Any:
    reply = json.dumps({"jsonrpc": "2.0", "id": None, "result": result})
    async with scripted_site(http(200, reply)) as site:
        content, rpc = content_of(site.url)
        try:
            if read_id is None:
                return await content.search(QUERY, access_token="t", timeout_seconds=5)
            return await content.read(read_id, access_token="t", timeout_seconds=5)
        finally:
            await rpc.close()


@pytest.mark.parametrize(
    ("result", "ids", "total"),
    [
        ({"results": [], "total": 0}, [], 0),
        ([], [], 0),
        ([{"id": 7}], ["7"], 1),
        ({"results": [{"nid": 7, "title": "T"}], "total": 40}, ["7"], 40),
        ({"results": {"0": {"id": "a"}, "2": {"id": "b"}}, "total": "2"}, ["a", "b"], 2),
        ({"items": [{"id": "a"}, None, 3, {"title": "no id"}, {"id": ["x"]}]}, ["a"], 1),
        ({"results": [{"id": str(n)} for n in range(9)]}, ["0", "1", "2", "3", "4"], 5),
        ({"results": [{"id": "a", "score": "x", "drupal_version": "11"}]}, ["a"], 1),
    ],
)
async def test_odd_pages_of_results_are_survived(
    result: object, ids: list[str], total: int
) -> None:
    page = await scripted(result)

    assert [hit.content_id for hit in page.hits] == ids
    assert page.total == total


@pytest.mark.parametrize("result", ["text", 7, None, True, {"results": "x"}, {"nothing": []}])
async def test_what_is_no_page_of_results_is_an_invalid_answer(result: object) -> None:
    with pytest.raises(UpstreamAnswerInvalidError):
        await scripted(result)


async def test_a_hit_is_plain_text_with_an_address_of_the_site() -> None:
    page = await scripted(
        [
            {
                "id": "a",
                "title": "<em>One</em> &amp; two",
                "summary": "<p>Short <b>text</b></p>",
                "url": "javascript:alert(1)",
                "category": "Site building",
                "drupal_version": {"0": "10", "2": 11},
            }
        ]
    )

    (hit,) = page.hits
    assert hit.title == "One & two"
    assert hit.summary == "Short text"
    assert hit.url == ""
    assert hit.category == "Site building"
    assert hit.drupal_versions == ("10", "11")


@pytest.mark.parametrize(
    ("result", "markdown"),
    [
        ("# Title\n\nText", "# Title\n\nText"),
        ({"content": "<p>Hello</p>"}, "Hello"),
        ({"body": {"value": "raw", "processed": "<p>Shown</p>"}}, "Shown"),
        ({"body": [{"value": "First"}]}, "First"),
        ({"markdown": "*md*"}, "*md*"),
        ({"title": "No body"}, ""),
        ({"content": 7}, ""),
    ],
)
async def test_a_body_is_found_wherever_the_site_puts_it(result: object, markdown: str) -> None:
    document = await scripted(result, read_id="42")

    assert document.markdown == markdown
    assert document.content_id == "42"


@pytest.mark.parametrize("result", [[], {}, None, 7])
async def test_an_empty_document_is_a_missing_one(result: object) -> None:
    with pytest.raises(ContentNotFoundError):
        await scripted(result, read_id="42")


async def test_a_dead_search_engine_does_not_claim_that_reading_works() -> None:
    error = {"code": -32603, "message": "Internal Error", "data": "Solr endpoint unreachable"}
    async with scripted_site(http(200, json.dumps({"id": 1, "error": error}))) as site:
        content, rpc = content_of(site.url)
        with pytest.raises(UpstreamUnavailableError) as caught:
            await content.read("1", access_token="t", timeout_seconds=5)
        await rpc.close()

    assert type(caught.value) is UpstreamUnavailableError
