"""A client from before protected resource metadata: it knows the MCP host and nothing else."""

import json
from urllib.parse import urlsplit

from tests.journeys.plain_client import Endpoints, call_tool, plain_http, registered
from tests.journeys.world import World


async def search_as_an_old_client(world: World, *, reads_metadata: bool) -> int:
    """Sign in by the MCP host's own paths and search; how many results there were.

    ``reads_metadata`` asks the host for the authorization server's document first; without it the
    endpoints are taken to be at the host's root.
    """
    mcp_url = world.stack.addresses.mcp_url
    origin = urlsplit(mcp_url)._replace(path="").geturl()
    async with plain_http() as http, world.person() as person:
        endpoints = Endpoints.at_root(origin)
        if reads_metadata:
            endpoints = await Endpoints.of_metadata(http, origin)
        client = await registered(http, endpoints, "Old client")
        tokens = await client.sign_in(person)
        answer = await call_tool(http, mcp_url, tokens["access_token"], "search", query="views")
    found = json.loads(answer.raise_for_status().json()["result"]["content"][0]["text"])
    return len(found["results"])
