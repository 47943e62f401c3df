"""What a container's door says when its app does not."""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import httpx2
import pytest

from functions.container.observed_door import ObservedDoor, OutOfTimeError
from shared.observability import request_context

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]
SECRET = "what the database said"


async def begin(send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"half", "more_body": True})


def door(app: App, *, seconds: float = 30.0) -> ObservedDoor:
    return ObservedDoor(app, function="oauth", https=True, request_seconds_max=seconds)


def client(app: App, *, seconds: float = 30.0) -> httpx2.AsyncClient:
    transport = httpx2.ASGITransport(app=door(app, seconds=seconds))
    return httpx2.AsyncClient(transport=transport, base_url="https://door.example")


async def crashing(_scope: Scope, _receive: Receive, _send: Send) -> None:
    raise RuntimeError(SECRET)


async def hanging(_scope: Scope, _receive: Receive, _send: Send) -> None:
    await asyncio.Event().wait()


async def test_a_crash_is_answered_by_the_catalogue_and_tells_nothing() -> None:
    async with client(crashing) as http:
        answer = await http.get("/", headers={"x-correlation-id": "asked-for-12345678"})

    assert answer.status_code == 500
    assert SECRET not in answer.text
    assert answer.headers["x-correlation-id"] == "asked-for-12345678"
    assert "strict-transport-security" in answer.headers


async def test_a_request_that_runs_out_of_time_is_told_to_come_back() -> None:
    async with client(hanging, seconds=0.0) as http:
        answer = await http.post("/")

    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert json.loads(answer.text)


async def test_an_answer_that_has_begun_is_cut_and_never_completed_with_other_words() -> None:
    sent: list[Any] = []

    async def halfway(scope: Scope, receive: Receive, send: Send) -> None:
        await begin(send)
        await hanging(scope, receive, send)

    async def keep(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(OutOfTimeError):
        await door(halfway, seconds=0.01)(scope, receive=no_body, send=keep)

    assert [message["type"] for message in sent] == ["http.response.start", "http.response.body"]


async def no_body() -> Any:
    return {"type": "http.request", "body": b"", "more_body": False}


async def test_requests_at_once_each_have_their_own_context_and_time() -> None:
    everybody_is_here = asyncio.Barrier(5)

    async def naming(_scope: Scope, _receive: Receive, send: Send) -> None:
        await everybody_is_here.wait()
        body = request_context.correlation_id().encode()
        assert 0 < request_context.remaining_seconds() <= 30
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})

    names = [f"request-{number:08}" for number in range(5)]
    async with client(naming) as http:
        answers = await asyncio.gather(
            *(http.get("/", headers={"x-correlation-id": name}) for name in names)
        )

    assert [answer.text for answer in answers] == names
