"""A search that is away is stood in for by what the same search found for the same person."""

from dataclasses import replace

import pytest

from shared.domain.content import SearchHit, SearchPage, SearchQuery
from shared.errors.base import ServiceError
from shared.state.database import DatabaseUnavailableError
from shared.upstream.failures import (
    AccessForbiddenError,
    ArgumentsRejectedError,
    SearchUnavailableError,
    UpstreamRateLimitedError,
    UpstreamTimeoutError,
)
from shared.workflows.suspension import AccountUnavailableError
from tests.unit.mcp_endpoint.pieces import Endpoint, a_call, an_endpoint, tool_call

SEARCH = tool_call("search_tutorials", {"query": "views"})
CALL = a_call()
QUERY = SearchQuery(keywords="views")
PAGE = SearchPage(
    hits=(SearchHit(content_id="9", title="Kept", url="https://site.example/9"),),
    total=1,
    offset=0,
    age_seconds=600.0,
)


def kept(endpoint: Endpoint, *, age_seconds: float = 600.0) -> None:
    endpoint.copies.pages[CALL.grant.user_id, QUERY] = replace(PAGE, age_seconds=age_seconds)


@pytest.mark.parametrize(
    "failure", [SearchUnavailableError, UpstreamTimeoutError, UpstreamRateLimitedError]
)
async def test_kept_results_are_served_and_say_how_old_they_are(
    failure: type[ServiceError],
) -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.site.failure = failure()
        answer = await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    result = answer.json()["result"]
    assert result["isError"] is False
    assert result["structuredContent"]["results_age_seconds"] == 600
    assert "Search does not answer" in result["content"][0]["text"]
    assert "from 10 minutes ago" in result["content"][0]["text"]
    assert [ended.found for ended in endpoint.ended] == [None], "kept results are not kept anew"


async def test_the_connectors_search_says_it_too() -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        token = endpoint.bearers.issue(CALL)
        fresh = await endpoint.post(tool_call("search", {"query": "views"}), token)
        endpoint.site.failure = SearchUnavailableError()
        stale = await endpoint.post(tool_call("search", {"query": "views"}), token)

    assert set(fresh.json()["result"]["structuredContent"]) == {"results"}
    told = stale.json()["result"]["structuredContent"]
    assert [one["id"] for one in told["results"]] == ["9"]
    assert "from 10 minutes ago" in told["notice"]


@pytest.mark.parametrize(
    "arguments",
    [
        {"query": "other"},
        {"query": "views", "limit": 5},
        {"query": "views", "offset": 10},
        {"query": "views", "types": ["guide"]},
        {"query": "views", "sort": "title"},
    ],
)
async def test_another_search_gets_nothing_of_it(arguments: dict[str, object]) -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.site.failure = SearchUnavailableError()
        token = endpoint.bearers.issue(CALL)
        answer = await endpoint.post(tool_call("search_tutorials", arguments), token)

    error = answer.json()["result"]["structuredContent"]["error"]
    assert error["code"] == "search_unavailable"


async def test_without_a_store_the_outage_is_told() -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.copies.outage = DatabaseUnavailableError()
        endpoint.site.failure = SearchUnavailableError()
        answer = await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    assert answer.json()["result"]["isError"] is True


@pytest.mark.parametrize(
    ("failure", "left"),
    [(AccessForbiddenError, 0), (AccountUnavailableError, 0), (ArgumentsRejectedError, 1)],
)
async def test_a_refusal_is_never_stood_in_for_and_of_the_person_ends_what_was_kept(
    failure: type[ServiceError], left: int
) -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.site.failure = failure()
        answer = await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    assert answer.json()["result"]["isError"] is True
    assert len(endpoint.copies.pages) == left


async def test_what_the_site_finds_is_kept_when_the_call_is_closed() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    assert "results_age_seconds" not in answer.json()["result"]["structuredContent"]
    (found,) = [ended.found for ended in endpoint.ended]
    assert found is not None
    assert found.query == QUERY
    assert found.page.age_seconds is None


async def test_by_default_the_site_is_always_asked() -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint, age_seconds=1.0)
        await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    assert len(endpoint.site.queries) == 1


@pytest.mark.parametrize(("age_seconds", "asked"), [(29.0, 0), (31.0, 1)])
async def test_where_operators_want_it_recent_results_serve_without_the_site(
    age_seconds: float, asked: int
) -> None:
    async with an_endpoint(recent_seconds=30) as endpoint:
        kept(endpoint, age_seconds=age_seconds)
        answer = await endpoint.post(SEARCH, endpoint.bearers.issue(CALL))

    assert len(endpoint.site.queries) == asked
    text = answer.json()["result"]["content"][0]["text"]
    assert ("These results are from 29 seconds ago." in text) == (asked == 0)
    assert "does not answer" not in text


def test_one_search_has_one_spelling() -> None:
    spelled = SearchQuery(
        keywords="  cafe\u0301   views\t", types=("guide", "course", "guide"), categories=("b", "a")
    )

    assert spelled.normalised() == SearchQuery(
        keywords="caf\u00e9 views", types=("course", "guide"), categories=("a", "b")
    )
    assert spelled.normalised().normalised() == spelled.normalised()
    # Operators of search engines are words in capitals.
    assert SearchQuery(keywords="a OR b").normalised() != SearchQuery(keywords="a or b")
