"""The edge before the functions says who calls, and nobody can say it in its place."""

import json
from collections.abc import AsyncIterator

import httpx2
import pytest

from scripts.lambda_emulator.edge_front import EdgeFront
from scripts.lambda_emulator.http_connection import HttpConnection, HttpServer

SECRET = "the-origin-secret"


async def echo(connection: HttpConnection) -> None:
    """An origin that answers with the headers that reached it."""
    while (request := await connection.next_request()) is not None:
        await connection.body(bytes_max=1_000)
        headers = [(key.decode(), value.decode()) for key, value in request.headers]
        await connection.respond(200, body=json.dumps(headers).encode())


@pytest.fixture
async def edge_origin() -> AsyncIterator[str]:
    """The one public host before an origin that echoes."""
    origin = HttpServer(echo)
    address = f"http://127.0.0.1:{await origin.listen('127.0.0.1', 0)}"
    edge = EdgeFront(
        host="127.0.0.1", port=0, mcp_origin=address, oauth_origin=address, origin_secret=SECRET
    )
    yield await edge.listen()
    await edge.close()
    await origin.close()


async def test_the_edge_names_the_viewer_and_proves_itself_whatever_the_viewer_claims(
    edge_origin: str,
) -> None:
    forged = {
        "X-Viewer-Address": "192.0.2.1",
        "X-Origin-Secret": "guessed",
        "X-Forwarded-For": "192.0.2.1",
    }
    async with httpx2.AsyncClient(base_url=edge_origin) as http:
        seen: list[list[str]] = (await http.get("/token", headers=forged)).json()

    secrets = [value for name, value in seen if name.lower() == "x-origin-secret"]
    (address,) = [value for name, value in seen if name.lower() == "x-viewer-address"]
    assert secrets == [SECRET]
    assert address == "127.0.0.1"
