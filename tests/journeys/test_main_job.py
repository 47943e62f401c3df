"""The main job: sign in with Drupal, search, read, wait for a slow site; with the SDK's client."""

import asyncio
from pathlib import Path

import httpx2
import pytest
from mcp import Client

from scripts.local_stack.client import MODES, ClientMemory
from scripts.local_stack.options import Front
from tests.journeys.account_page import AccountPage
from tests.journeys.old_client import search_as_an_old_client
from tests.journeys.world import World, running_world, text_of

WAIT_SECONDS_MAX = 30.0


async def search_and_read(client: Client) -> None:
    names = {tool.name for tool in (await client.list_tools()).tools}
    assert {"search_tutorials", "get_tutorial", "account_status"} <= names
    found = await client.call_tool("search_tutorials", {"query": "views"})
    assert found.structured_content is not None
    first = found.structured_content["results"][0]
    read = await client.call_tool("get_tutorial", {"id": first["id"]})
    assert not read.is_error
    assert first["title"] in text_of(read)


async def hear_of_progress_before_the_site_has_answered(world: World, client: Client) -> None:
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


async def disconnect_everything_on_the_account_page(world: World, kept: ClientMemory) -> None:
    assert await answer_to_a_call(world, kept) == 200
    async with world.person() as person:
        page = await AccountPage.opened(world, person)
        assert page.shown.text.count("Scripted client") == len(MODES)
        said = await page.press("Disconnect all")
    assert "None of them can use your account any more" in said
    assert await answer_to_a_call(world, kept) == 401


async def answer_to_a_call(world: World, kept: ClientMemory) -> int:
    """The status that a client hears with the token it has."""
    assert kept.tokens is not None
    async with httpx2.AsyncClient(timeout=WAIT_SECONDS_MAX) as http:
        answer = await http.post(
            world.stack.addresses.mcp_url,
            headers={
                "authorization": f"Bearer {kept.tokens.access_token}",
                "accept": "application/json, text/event-stream",
            },
            json={"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}},
        )
    return answer.status_code


@pytest.mark.parametrize(
    ("front", "dialect"),
    [("urls", 6), ("edge", 6), ("containers", 6), ("urls", 5)],
    ids=["two-hosts", "one-host", "containers", "simple_oauth-5"],
)
async def test_a_person_signs_in_searches_and_reads_with_clients_of_every_age(
    tmp_path: Path, front: Front, dialect: int
) -> None:
    async with running_world(tmp_path, dialect=dialect, front=front) as world:
        for mode in MODES:
            memory = ClientMemory()
            async with world.client(memory, mode) as client:
                await search_and_read(client)
                await hear_of_progress_before_the_site_has_answered(world, client)
            assert memory.sign_ins == 1
        await disconnect_everything_on_the_account_page(world, memory)
        for reads_metadata in (True, False):
            assert await search_as_an_old_client(world, reads_metadata=reads_metadata) > 0
