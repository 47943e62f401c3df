import asyncio
from typing import Any

import httpx
import pytest

from scripts.lambda_emulator.emulator import Emulator
from tests.support.lambda_emulation import logged, start
from tests.support.pipes import Pipes


async def _stream_url(emulator: Emulator, **fields: Any) -> str:
    return await start(emulator, "streaming.handler", invoke_mode="RESPONSE_STREAM", **fields)


async def test_a_chunk_arrives_before_the_next_one_is_made(
    emulator: Emulator, client: httpx.AsyncClient, pipes: Pipes
) -> None:
    url = await _stream_url(emulator)
    params = {"pipes": str(pipes.folder)}

    async with client.stream("GET", f"{url}/first-then-wait", params=params) as response:
        chunks = response.aiter_bytes()

        assert await anext(chunks) == b"first"

        await pipes.started()
        pipes.go_on()
        assert [chunk async for chunk in chunks] == [b"second"]


async def test_twenty_megabytes_arrive_whole(emulator: Emulator, client: httpx.AsyncClient) -> None:
    url = await _stream_url(emulator)

    response = await client.post(f"{url}/large", content=b"x" * 4_000_000)

    assert response.headers["x-received"] == "4000000"
    assert response.content == b"".join(bytes([n]) * 1024 * 1024 for n in range(20))


async def test_an_exception_before_the_first_byte_answers_502(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator)

    response = await client.get(f"{url}/fail")

    assert response.status_code == 502
    assert "before any byte" in logged(emulator)


@pytest.mark.parametrize("path", ["/fail-late", "/return-early", "/exit-late"])
async def test_a_failure_after_the_first_byte_truncates_the_stream(
    emulator: Emulator, client: httpx.AsyncClient, path: str
) -> None:
    url = await _stream_url(emulator)

    async with client.stream("GET", f"{url}{path}") as response:
        chunks = response.aiter_bytes()
        assert response.status_code == 200
        assert await anext(chunks) == b"part"
        with pytest.raises(httpx.RemoteProtocolError):
            await anext(chunks)

    assert (await client.get(f"{url}/cookies")).status_code == 401


async def test_an_app_that_takes_too_long_is_cancelled_and_answers_503(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator, timeout_seconds=2)

    response = await client.get(f"{url}/hang")
    await emulator.settled("function")

    assert response.status_code == 503
    assert response.json()["code"] == "deadline_exceeded"
    assert response.headers["retry-after"] == "5"
    assert "the app was cancelled" in logged(emulator)
    assert len(emulator.pids("function")) == 1


async def test_a_stream_that_takes_too_long_is_truncated_by_the_app_not_by_a_kill(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator, timeout_seconds=2)

    with pytest.raises(httpx.RemoteProtocolError):
        await client.get(f"{url}/hang-late")
    await emulator.settled("function")

    assert "DeadlineExceededError" in logged(emulator)
    assert "the app was cancelled" in logged(emulator)
    assert len(emulator.pids("function")) == 1


async def test_a_caller_that_does_not_read_holds_the_app_back_until_its_deadline(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator, timeout_seconds=4)

    async with client.stream("GET", f"{url}/endless") as response:
        await anext(response.aiter_bytes())
        await asyncio.wait_for(emulator.settled("function"), 30)

    assert "DeadlineExceededError" in logged(emulator)
    assert len(emulator.pids("function")) == 1


async def test_an_empty_body_becomes_one_byte_where_http_allows_it(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator)

    accepted = await client.post(f"{url}/empty?202")
    nothing = await client.post(f"{url}/empty?204")

    assert (accepted.status_code, accepted.content) == (202, b"\n")
    assert (nothing.status_code, nothing.content) == (204, b"")


async def test_cookies_go_both_ways_and_the_transfer_stays_the_platforms(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator)

    response = await client.get(f"{url}/cookies", headers={"Cookie": "c=1; d=2"})

    assert response.text == "c=1; d=2"
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert response.headers.get_list("transfer-encoding") == ["chunked"]
    assert response.headers["x-amzn-remapped-www-authenticate"] == "Bearer"


async def test_bytes_go_both_ways(emulator: Emulator, client: httpx.AsyncClient) -> None:
    url = await _stream_url(emulator)

    response = await client.post(f"{url}/binary", content=bytes(range(256)))

    assert response.content == bytes(range(256))[::-1]


async def test_no_task_outlives_its_invocation_and_the_lifespan_is_entered_once(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator)

    first = (await client.get(f"{url}/stray")).text.split()
    second = (await client.get(f"{url}/stray")).text.split()

    assert first == second
    assert first[1:] == ["entered=1", "left=stray", "before=False"]


async def test_decorators_of_powertools_see_the_invocation(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await _stream_url(emulator)

    await client.get(f"{url}/cookies")
    await emulator.settled("function")

    assert '"Requests":[1.0]' in logged(emulator)


async def test_the_same_handler_answers_whole_where_the_runtime_does_not_stream(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "streaming.handler", invoke_mode="BUFFERED")

    response = await client.get(f"{url}/cookies", headers={"Cookie": "c=1"})

    assert (response.status_code, response.text) == (401, "c=1")
    assert response.headers.get_list("set-cookie") == ["a=1", "b=2"]
    assert (await client.post(f"{url}/binary", content=b"\xff\x00")).content == b"\x00\xff"


async def test_the_streaming_runtime_serves_buffered_functions_too(emulator: Emulator) -> None:
    await start(emulator, "plain.echo", invoke_mode="RESPONSE_STREAM", has_url=False)

    assert (await emulator.invoke("function", {"a": 1}))["event"] == {"a": 1}


async def test_an_environment_whose_app_cannot_start_is_replaced(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "streaming.cannot_start", invoke_mode="RESPONSE_STREAM")

    response = await client.get(url)
    await emulator.settled("function")

    assert response.status_code == 502
    assert "LifespanError" in logged(emulator)
    assert emulator.pids("function") == []


async def test_fastapi_behind_mangum_runs_on_the_persistent_loop_and_leaves_no_task(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "framework.handler")

    first = (await client.get(f"{url}/loop")).json()
    second = (await client.get(f"{url}/loop")).json()

    assert first["persistent"]
    assert second["persistent"]
    assert first["loop"] == second["loop"]
    assert "left" not in second["tasks"]


async def test_a_caller_that_leaves_does_not_end_the_function(
    emulator: Emulator, client: httpx.AsyncClient, pipes: Pipes
) -> None:
    url = await _stream_url(emulator, environments_max=1)
    params = {"pipes": str(pipes.folder)}
    async with client.stream("GET", f"{url}/first-then-wait", params=params) as response:
        await anext(response.aiter_bytes())
    pid = await pipes.started()

    pipes.go_on()
    await asyncio.wait_for(emulator.settled("function"), 30)

    assert emulator.pids("function") == [pid]
