"""A client from before protected resource metadata: it knows the MCP host and nothing else."""

import json
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2

from scripts.local_stack.client import REDIRECT_URI
from shared.domain import pkce
from tests.journeys.world import World

VERIFIER = "v" * 64


async def search_as_an_old_client(world: World, *, reads_metadata: bool) -> int:
    """Sign in by the MCP host's own paths and search; how many results there were.

    ``reads_metadata`` asks the host for the authorization server's document first; without it the
    endpoints are taken to be at the host's root.
    """
    mcp_url = world.stack.addresses.mcp_url
    origin = urlsplit(mcp_url)._replace(path="").geturl()
    async with httpx2.AsyncClient(follow_redirects=True, timeout=30.0) as http:
        endpoints = {name: f"{origin}/{name}" for name in ("register", "authorize", "token")}
        if reads_metadata:
            document = await http.get(f"{origin}/.well-known/oauth-authorization-server")
            found = document.raise_for_status().json()
            endpoints = {
                "register": found["registration_endpoint"],
                "authorize": found["authorization_endpoint"],
                "token": found["token_endpoint"],
            }
        token = await _token(world, http, endpoints)
        return await _results(http, mcp_url, token)


async def _token(world: World, http: httpx2.AsyncClient, endpoints: dict[str, str]) -> str:
    registration = await http.post(
        endpoints["register"], json={"client_name": "Old client", "redirect_uris": [REDIRECT_URI]}
    )
    client_id = registration.raise_for_status().json()["client_id"]
    asked = urlencode(
        {
            "response_type": "code",
            "client_id": client_id,
            "redirect_uri": REDIRECT_URI,
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            "state": "old",
        }
    )
    async with world.person() as person:
        back = await person.sign_in(f"{endpoints['authorize']}?{asked}", REDIRECT_URI)
    answered = parse_qs(urlsplit(back).query)
    assert answered["state"] == ["old"]
    issued = await http.post(
        endpoints["token"],
        data={
            "grant_type": "authorization_code",
            "code": answered["code"][0],
            "redirect_uri": REDIRECT_URI,
            "client_id": client_id,
            "code_verifier": VERIFIER,
        },
    )
    token: str = issued.raise_for_status().json()["access_token"]
    return token


async def _results(http: httpx2.AsyncClient, mcp_url: str, token: str) -> int:
    call = {"name": "search", "arguments": {"query": "views"}}
    answer = await http.post(
        mcp_url,
        headers={
            "authorization": f"Bearer {token}",
            "accept": "application/json, text/event-stream",
        },
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call},
    )
    found = json.loads(answer.raise_for_status().json()["result"]["content"][0]["text"])
    return len(found["results"])
