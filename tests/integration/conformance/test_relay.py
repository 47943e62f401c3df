import asyncio
import json
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest

from scripts.conformance_suite.relay import running_relay
from tests.support.serving import serving

TOKEN = "the-persons-token"


class Server:
    """Says what it was sent; streams where asked to."""

    def __init__(self) -> None:
        self.url = ""
        self.release = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await receive()
            await send({"type": "lifespan.startup.complete"})
            await receive()
            await send({"type": "lifespan.shutdown.complete"})
            return
        body = (await receive())["body"]
        headers = [(b"content-type", b"application/json"), (b"x-mcp-challenge", b"Bearer")]
        await send({"type": "http.response.start", "status": 418, "headers": headers})
        if scope["path"] == "/stream":
            await send({"type": "http.response.body", "body": b"first", "more_body": True})
            await self.release.wait()
            await send({"type": "http.response.body", "body": b"second"})
            return
        told = {
            "method": scope["method"],
            "path": scope["raw_path"].decode(),
            "query": scope["query_string"].decode(),
            "headers": [[name.decode(), value.decode()] for name, value in scope["headers"]],
            "body": body.decode(),
        }
        await send({"type": "http.response.body", "body": json.dumps(told).encode()})


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    running = Server()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        running.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with serving(running, listener):
            yield running


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(timeout=20) as client:
        yield client


async def test_a_request_arrives_as_it_was_but_signed_in(
    server: Server, http: httpx2.AsyncClient
) -> None:
    async with running_relay(f"{server.url}/mcp", access_token=TOKEN) as url:
        answer = await http.post(
            f"{url}/a%2Fb?x=1&x=2",
            content=b"{broken",
            headers=[("Mcp-Name", "a"), ("Mcp-Name", "b"), ("Authorization", "Bearer another")],
        )

    told = answer.json()
    assert answer.status_code == 418
    assert answer.headers["x-mcp-challenge"] == "Bearer"
    assert (told["method"], told["path"], told["query"]) == ("POST", "/mcp/a%2Fb", "x=1&x=2")
    assert told["body"] == "{broken"
    assert [value for name, value in told["headers"] if name == "mcp-name"] == ["a", "b"]
    assert [value for name, value in told["headers"] if name == "authorization"] == [
        f"Bearer {TOKEN}"
    ]


async def test_nothing_is_added_that_the_checker_left_out(
    server: Server, http: httpx2.AsyncClient
) -> None:
    async with running_relay(f"{server.url}/mcp", access_token=TOKEN) as url:
        bare = httpx2.Request("DELETE", url)
        told = (await http.send(bare)).json()

    assert {name for name, _ in told["headers"]} <= {"host", "authorization", "content-length"}


async def test_the_relays_own_name_becomes_the_servers_and_others_stay(
    server: Server, http: httpx2.AsyncClient
) -> None:
    async with running_relay(f"{server.url}/mcp", access_token=TOKEN) as url:
        own = url.removesuffix("/mcp")
        named = (await http.post(url, headers={"origin": own})).json()
        rebound = (
            await http.post(url, headers={"host": "evil.example", "origin": "http://evil.example"})
        ).json()

    assert ["host", server.url.removeprefix("http://")] in named["headers"]
    assert ["origin", server.url] in named["headers"]
    assert ["host", "evil.example"] in rebound["headers"]
    assert ["origin", "http://evil.example"] in rebound["headers"]


async def test_an_answer_is_passed_on_while_it_is_being_written(
    server: Server, http: httpx2.AsyncClient
) -> None:
    async with running_relay(f"{server.url}/mcp", access_token=TOKEN) as url:
        stream_url = url.replace("/mcp", "/stream")
        async with http.stream("POST", stream_url) as answer:
            pieces = answer.aiter_raw()
            first = await asyncio.wait_for(anext(pieces), timeout=10)
            server.release.set()
            rest = b"".join([piece async for piece in pieces])

    assert (first, rest) == (b"first", b"second")
