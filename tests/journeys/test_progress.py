"""Progress reaches the client while Drupal is still at work."""

import asyncio
from pathlib import Path

import pytest
from mcp import Client

from scripts.local_stack.client import MODES, ClientMemory
from scripts.local_stack.options import Front
from tests.journeys.world import World, running_world

WAIT_SECONDS_MAX = 30.0


async def search_while_held(world: World, client: Client) -> None:
    told = asyncio.Event()

    async def tell(progress: float, total: float | None, message: str | None) -> None:
        assert progress > 0
        assert total is None
        assert message
        told.set()

    gate = world.site.control.hold(route="jsonrpc")
    call = asyncio.create_task(
        client.call_tool("search_tutorials", {"query": "views"}, progress_callback=tell)
    )
    await asyncio.wait_for(told.wait(), WAIT_SECONDS_MAX)
    assert not call.done()
    gate.release()
    assert not (await asyncio.wait_for(call, WAIT_SECONDS_MAX)).is_error


@pytest.mark.parametrize("front", ["urls", "edge"])
async def test_progress_arrives_before_drupal_has_answered(tmp_path: Path, front: Front) -> None:
    async with running_world(tmp_path, front=front) as world:
        memory = ClientMemory()
        for mode in MODES:
            async with world.client(memory, mode) as client:
                await search_while_held(world, client)
