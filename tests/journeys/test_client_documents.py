"""The SDK's client signs in by its document: TLS, fetch, consent, tokens, and no registration."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from scripts.local_stack.client import REDIRECT_URI, ClientMemory, connected_client
from tests.journeys.world import running_world, text_of
from tests.support.certificates import Authority

HOST = "localhost"


@asynccontextmanager
async def published(authority: Authority) -> AsyncIterator[tuple[str, list[str]]]:
    """A document on a host of its own; its address, and the requests that came."""
    requests: list[str] = []
    address = ""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append((await reader.readuntil(b"\r\n\r\n")).decode())
        members = {
            "client_id": address,
            "client_name": "Described client",
            "redirect_uris": [REDIRECT_URI],
            "grant_types": ["authorization_code", "refresh_token"],
            "token_endpoint_auth_method": "none",
        }
        body = json.dumps(members).encode()
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n")
        writer.write(b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=authority.server_context(HOST))
    address = f"https://{HOST}:{server.sockets[0].getsockname()[1]}/client.json"
    try:
        yield address, requests
    finally:
        server.close()
        await server.wait_closed()


async def test_the_sdk_client_signs_in_by_its_document(tmp_path: Path) -> None:
    authority = Authority.create(tmp_path)
    answered: list[str] = []
    trust = {"CLIENT_DOCUMENT_AUTHORITIES_FILE": str(authority.file)}
    memory = ClientMemory()
    async with running_world(tmp_path / "stack", variables=trust) as world:
        async with (
            published(authority) as (address, requests),
            world.person() as person,
            connected_client(
                world.stack.addresses.mcp_url,
                person,
                memory,
                on_answer=lambda _method, url, _status: answered.append(url),
                document_url=address,
            ) as client,
        ):
            found = await client.call_tool("search_tutorials", {"query": "views"})
            assert not found.is_error, text_of(found)

        # The document's host is away now, and the client's tokens are good all the same.
        async with world.client(memory) as client:
            status = await client.call_tool("account_status", {})
            assert not status.is_error, text_of(status)

    assert memory.sign_ins == 1
    assert memory.registration is not None
    assert memory.registration.client_id == address
    assert not [url for url in answered if url.endswith("/register")]
    assert len(requests) == 1
