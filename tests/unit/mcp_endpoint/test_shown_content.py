"""A site that does not answer is stood in for by the person's own copies, marked as such."""

from dataclasses import replace

import pytest

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.state.database import DatabaseUnavailableError
from shared.upstream.failures import (
    AccessForbiddenError,
    ContentNotFoundError,
    UpstreamMaintenanceError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from shared.workflows.suspension import AccountUnavailableError
from tests.unit.mcp_endpoint.pieces import Endpoint, a_call, an_endpoint, tool_call

READ = tool_call("get_tutorial", {"id": "7"})
CALL = a_call()
OUTAGES = [UpstreamUnavailableError, UpstreamTimeoutError, UpstreamMaintenanceError]


def kept(endpoint: Endpoint, *, age_seconds: float = 600.0) -> None:
    document = replace(endpoint.site.documents["7"], age_seconds=age_seconds)
    endpoint.copies.kept[CALL.grant.user_id, "7"] = document


@pytest.mark.parametrize("failure", OUTAGES)
async def test_a_copy_is_served_and_says_how_old_it_is(failure: type[ServiceError]) -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.site.failure = failure()
        answer = await endpoint.post(READ, endpoint.bearers.issue(CALL))

    result = answer.json()["result"]
    assert result["isError"] is False
    assert result["structuredContent"]["copy_age_seconds"] == 600
    assert "This is a copy from 10 minutes ago." in result["content"][0]["text"]
    assert "First paragraph." in result["structuredContent"]["markdown"]
    assert [ended.shown for ended in endpoint.ended] == [None], "a copy is not shown anew"


async def test_the_connectors_document_and_the_resource_say_it_too() -> None:
    read = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "resources/read",
        "params": {"uri": "drupal://tutorial/7"},
    }
    async with an_endpoint() as endpoint:
        kept(endpoint, age_seconds=3 * 3_600)
        endpoint.site.failure = UpstreamUnavailableError()
        token = endpoint.bearers.issue(CALL)
        fetched = await endpoint.post(tool_call("fetch", {"id": "7"}), token)
        resource = await endpoint.post(read, token)

    metadata = fetched.json()["result"]["structuredContent"]["metadata"]
    assert "a copy from 3 hours ago" in metadata["copy"]
    assert "a copy from 3 hours ago" in resource.json()["result"]["contents"][0]["text"]


async def test_without_a_copy_the_outage_is_told() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = UpstreamUnavailableError()
        answer = await endpoint.post(READ, endpoint.bearers.issue(CALL))
        kept(endpoint)
        endpoint.copies.outage = DatabaseUnavailableError()
        other = await endpoint.post(READ, endpoint.bearers.issue(CALL))

    for one in (answer, other):
        error = one.json()["result"]["structuredContent"]["error"]
        assert error["code"] == ErrorCode.UPSTREAM_UNAVAILABLE.value


@pytest.mark.parametrize(
    ("failure", "left"),
    [
        (AccessForbiddenError, {"8"}),
        (ContentNotFoundError, {"8"}),
        (AccountUnavailableError, set()),
    ],
)
async def test_a_refusal_of_the_site_is_never_stood_in_for_and_ends_the_copies(
    failure: type[ServiceError], left: set[str]
) -> None:
    async with an_endpoint() as endpoint:
        kept(endpoint)
        endpoint.copies.kept[CALL.grant.user_id, "8"] = endpoint.site.documents["7"]
        endpoint.site.failure = failure()
        answer = await endpoint.post(READ, endpoint.bearers.issue(CALL))

    assert answer.json()["result"]["isError"] is True
    assert {content_id for _, content_id in endpoint.copies.kept} == left


async def test_what_the_site_shows_is_noted_when_the_call_is_closed() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(READ, endpoint.bearers.issue(CALL))

    assert "copy_age_seconds" not in answer.json()["result"]["structuredContent"]
    assert [ended.shown for ended in endpoint.ended] == [endpoint.site.documents["7"]]
