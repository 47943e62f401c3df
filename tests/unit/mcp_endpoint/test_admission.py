"""What a refused call looks like to its client, and that no slot is held for nothing."""

import asyncio
from typing import Any

import pytest

from shared.domain.rate_limits import LimitName
from shared.state.calls import CallRefusal
from tests.unit.mcp_endpoint.pieces import MODES, Endpoint, a_call, an_endpoint, tool_call

READ = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "resources/read",
    "params": {"uri": "drupal://tutorial/7"},
}
RATE: dict[str, Any] = {"refusal": CallRefusal.RATE, "wait_seconds": 3.2}
IN_FLIGHT: dict[str, Any] = {"refusal": CallRefusal.IN_FLIGHT}


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    ("refused", "code", "seconds"),
    [(RATE, "too_many_requests", 4), (IN_FLIGHT, "too_many_calls_at_once", 2)],
)
async def test_a_tool_that_is_refused_says_when_to_come_back_and_does_not_run(
    refused: dict[str, Any], code: str, seconds: int, mode: str
) -> None:
    async with an_endpoint(served=True) as endpoint:
        token = endpoint.bearers.issue(**refused)
        async with endpoint.client(token, mode=mode) as client:
            result = await client.call_tool("search_tutorials", {"query": "module"})

    error = result.structured_content["error"]
    assert result.is_error
    assert (error["code"], error["category"]) == (code, "rate_limit")
    assert (error["retryable"], error["retry_after_seconds"]) == (True, seconds)
    assert f"Try again in {seconds} seconds." in repr(result.content)
    assert (endpoint.site.queries, endpoint.usage) == ([], [])
    assert all(ended.call_id is None for ended in endpoint.ended)


async def test_a_resource_that_is_refused_is_a_429_with_retry_after() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(READ, endpoint.bearers.issue(**RATE))

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "4")
    assert answer.json()["error"]["data"]["code"] == "too_many_requests"
    assert "www-authenticate" not in answer.headers
    assert endpoint.site.tokens == []


@pytest.mark.parametrize(
    ("message", "limit"),
    [
        (tool_call("search_tutorials", {"query": "module"}), LimitName.SEARCHES_BY_PERSON),
        (tool_call("search", {"query": "module"}), LimitName.SEARCHES_BY_PERSON),
        (tool_call("get_tutorial", {"id": "7"}), LimitName.READINGS_BY_PERSON),
        (tool_call("fetch", {"id": "7"}), LimitName.READINGS_BY_PERSON),
        (READ, LimitName.READINGS_BY_PERSON),
        (tool_call("user_me"), LimitName.SITE_TOOLS_BY_PERSON),
        (tool_call("account_status"), None),
        ({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, None),
    ],
)
async def test_what_costs_the_site_is_counted_by_what_it_costs(
    message: dict[str, Any], limit: LimitName | None
) -> None:
    async with an_endpoint() as endpoint:
        await endpoint.post(message, endpoint.bearers.issue())

    (asked,) = endpoint.bearers.asked
    assert (asked and asked.limit) == limit
    assert endpoint.bearers.lookups == 1


async def _closed_calls(endpoint: Endpoint, message: dict[str, Any], token: str) -> list[Any]:
    await endpoint.post(message, token)
    (asked,) = endpoint.bearers.asked
    assert asked is not None
    return [(ended.call_id == asked.call_id, ended.usage is None) for ended in endpoint.ended]


async def test_a_slot_is_given_back_however_its_call_ends() -> None:
    search = tool_call("search_tutorials", {"query": "module"})
    async with an_endpoint() as endpoint:
        worked = await _closed_calls(endpoint, search, endpoint.bearers.issue())
    async with an_endpoint() as endpoint:
        endpoint.site.failure = RuntimeError("unforeseen")
        failed = await _closed_calls(endpoint, search, endpoint.bearers.issue())
    async with an_endpoint() as endpoint:
        narrow = endpoint.bearers.issue(a_call(scopes=("tutorial:read",)))
        forbidden = await _closed_calls(endpoint, search, narrow)

    assert (worked, failed, forbidden) == ([(True, False)], [(True, False)], [(True, True)])


async def test_a_call_that_cannot_end_in_its_time_is_refused_before_anything_is_asked() -> None:
    async with an_endpoint(remaining=lambda: 4.9) as endpoint:
        late = await endpoint.post(
            tool_call("search_tutorials", {"query": "module"}), endpoint.bearers.issue()
        )
    async with an_endpoint(remaining=lambda: 5.1) as endpoint:
        in_time = await endpoint.post(
            tool_call("search_tutorials", {"query": "module"}), endpoint.bearers.issue()
        )

    assert (late.status_code, late.headers["retry-after"]) == (503, "2")
    assert late.json()["error"]["data"]["code"] == "server_busy"
    assert in_time.json()["result"]["isError"] is False


async def test_a_process_runs_so_many_lets_as_many_wait_and_refuses_the_rest_at_once() -> None:
    message = tool_call("search_tutorials", {"query": "module"})
    async with an_endpoint(calls_at_once_max=2) as endpoint:
        token = endpoint.bearers.issue()
        endpoint.site.gate.clear()
        posts = [asyncio.create_task(endpoint.post(message, token)) for _ in range(5)]
        done, waiting = await asyncio.wait(posts, return_when=asyncio.FIRST_COMPLETED)
        begun = len(endpoint.site.tokens)
        endpoint.site.gate.set()
        answers = await asyncio.gather(*waiting)

    (refused,) = [post.result() for post in done]
    assert begun <= 2
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "2")
    assert refused.json()["error"]["data"]["code"] == "server_busy"
    assert [answer.json()["result"]["isError"] for answer in answers] == [False] * 4
