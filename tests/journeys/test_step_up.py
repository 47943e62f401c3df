"""A client meets a tool that needs more than it has: one challenge, one sign-in, nothing lost."""

from pathlib import Path

from mcp import Client

from scripts.local_stack.client import connected_client
from tests.journeys.plain_client import Endpoints, call_tool, plain_http, registered
from tests.journeys.world import running_world, text_of

READ = {"id": "124"}
FOREIGN_SCOPES = "openid profile email offline_access"


async def names(client: Client) -> set[str]:
    """What the server lists now."""
    listed = await client.list_tools(cache_mode="refresh")
    return {tool.name for tool in listed.tools}


async def test_a_step_up_adds_what_is_needed_and_keeps_what_was_granted(tmp_path: Path) -> None:
    async with (
        running_world(tmp_path, front="edge") as world,
        plain_http() as http,
        world.person() as person,
    ):
        mcp_url = world.stack.addresses.mcp_url
        endpoints = await Endpoints.of_metadata(http, world.stack.addresses.issuer_url)
        plain = await registered(http, endpoints)
        tokens = await plain.sign_in(person, scope=f"tutorial:search {FOREIGN_SCOPES}")
        assert tokens["scope"] == "tutorial:search"

        refused = await call_tool(http, mcp_url, tokens["access_token"], "get_tutorial", **READ)
        assert refused.status_code == 403
        (challenge,) = refused.headers.get_list("www-authenticate")
        assert challenge == refused.headers["x-mcp-challenge"]
        assert challenge.count("Bearer") == challenge.count(" scope=") == 1
        told = refused.json()["error"]["data"]
        assert told["error"] == "insufficient_scope"
        assert told["scope"] == "tutorial:search tutorial:read"
        for name in ("error", "error_description", "resource_metadata", "scope"):
            assert f'{name}="{told[name]}"' in challenge

        answers: list[tuple[str, int]] = []
        memory = plain.as_memory(tokens)
        async with connected_client(
            mcp_url, person, memory, on_answer=lambda _, url, status: answers.append((url, status))
        ) as client:
            assert await names(client) == {"search_tutorials", "search", "account_status"}
            read = await client.call_tool("get_tutorial", READ)
            assert not read.is_error, text_of(read)
            assert [status for url, status in answers if url == mcp_url].count(403) == 1
            assert memory.sign_ins == 1
            assert memory.tokens is not None
            assert memory.tokens.scope == "tutorial:search tutorial:read"
            assert {"search_tutorials", "get_tutorial"} <= await names(client)
            found = await client.call_tool("search_tutorials", {"query": "views"})
            assert not found.is_error
            assert memory.sign_ins == 1
