"""The main job: sign in with Drupal, search, read; with the SDK's own client."""

from pathlib import Path

import pytest

from scripts.local_stack.client import MODES, ClientMemory
from scripts.local_stack.options import Front
from tests.journeys.world import World, running_world, text_of


async def sign_in_search_and_read(world: World, mode: str) -> None:
    memory = ClientMemory()
    async with world.client(memory, mode) as client:
        names = {tool.name for tool in (await client.list_tools()).tools}
        assert {"search_tutorials", "get_tutorial", "account_status"} <= names
        found = await client.call_tool("search_tutorials", {"query": "views"})
        assert found.structured_content is not None
        first = found.structured_content["results"][0]
        read = await client.call_tool("get_tutorial", {"id": first["id"]})
        assert not read.is_error
        assert first["title"] in text_of(read)
    assert memory.sign_ins == 1


@pytest.mark.parametrize(
    ("front", "dialect"),
    [("urls", 6), ("edge", 6), ("urls", 5)],
    ids=["two-hosts", "one-host", "simple_oauth-5"],
)
async def test_a_person_signs_in_searches_and_reads_in_every_revision(
    tmp_path: Path, front: Front, dialect: int
) -> None:
    async with running_world(tmp_path, dialect=dialect, front=front) as world:
        for mode in MODES:
            await sign_in_search_and_read(world, mode)
