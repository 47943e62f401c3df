"""A request leaves no task behind: a frozen environment would freeze it half way."""

import asyncio
from typing import Any

import pytest

from tests.unit.mcp_endpoint.pieces import an_endpoint, tool_call

MODERN_META = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}
MODERN_HEADERS = {
    "mcp_protocol_version": "2026-07-28",
    "mcp_method": "tools/call",
    "mcp_name": "search_tutorials",
}


async def _left_since(before: set[asyncio.Task[Any]]) -> set[asyncio.Task[Any]]:
    """Tasks that do not end by themselves; the SDK's own need a few turns of the loop."""
    new = asyncio.all_tasks() - before
    return (await asyncio.wait(new, timeout=0.4))[1] if new else set()


@pytest.mark.parametrize("modern", [False, True])
@pytest.mark.parametrize("progress", [False, True])
async def test_no_task_outlives_its_request(*, modern: bool, progress: bool) -> None:
    meta = {**(MODERN_META if modern else {}), **({"progressToken": "p"} if progress else {})}
    message = tool_call("search_tutorials", {"query": "views"}, **meta)
    async with an_endpoint() as endpoint:
        before = asyncio.all_tasks()
        answers = [
            await endpoint.post(
                message, endpoint.bearers.issue(), **(MODERN_HEADERS if modern else {})
            )
            for _ in range(3)
        ]
        left = await _left_since(before)

    assert [answer.status_code for answer in answers] == [200] * 3
    assert "Tutorial 1" in answers[0].text
    assert left == set()


async def test_no_task_outlives_a_failed_or_refused_request() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.failure = RuntimeError()
        before = asyncio.all_tasks()
        await endpoint.post(
            tool_call("get_tutorial", {"id": "7"}, progressToken=1), endpoint.bearers.issue()
        )
        await endpoint.post(tool_call("nothing", progressToken=1), endpoint.bearers.issue())
        await endpoint.post(tool_call("nothing"), None)
        left = await _left_since(before)

    assert left == set()
