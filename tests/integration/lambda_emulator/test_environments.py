import asyncio
import os
import signal
import sys

import httpx
import pytest

from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError
from tests.support.lambda_emulation import logged, start
from tests.support.pipes import Pipes
from tests.support.processes import has_ended, has_stopped, state_of

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="stops processes")


async def test_a_schedule_gets_the_functions_return_value(emulator: Emulator) -> None:
    await start(emulator, "plain.echo", has_url=False)

    result = await emulator.invoke("function", {"source": "aws.events"})

    assert result["event"] == {"source": "aws.events"}


async def test_a_function_sees_lambdas_variables_and_context(emulator: Emulator) -> None:
    await start(
        emulator,
        "plain.echo",
        has_url=False,
        environment={"GREETING": "hello"},
        timeout_seconds=7,
        memory_mb=1024,
    )

    result = await emulator.invoke("function", {})

    variables = result["variables"]
    assert variables["GREETING"] == "hello"
    assert variables["AWS_LAMBDA_FUNCTION_NAME"] == result["function"] == "function"
    assert variables["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"] == "1024"
    assert variables["_HANDLER"].endswith("plain.echo")
    assert variables["_X_AMZN_TRACE_ID"].startswith("Root=1-")
    assert variables["AWS_REGION"] == "us-east-1"
    assert result["log_group"] == "/aws/lambda/function"
    assert result["arn"].endswith(":function:function")
    assert 0 < result["milliseconds"] <= 7000


async def test_a_function_does_not_see_the_variables_of_the_emulator(
    emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OF_THE_EMULATOR", "private")
    await start(emulator, "plain.echo", has_url=False)

    assert "OF_THE_EMULATOR" not in (await emulator.invoke("function", {}))["variables"]


async def test_one_environment_serves_calls_that_follow_each_other(emulator: Emulator) -> None:
    await start(emulator, "plain.echo", has_url=False, environments_max=1)

    first = await emulator.invoke("function", {})
    second = await emulator.invoke("function", {})

    assert first["pid"] == second["pid"]
    assert first["request_id"] != second["request_id"]


async def test_calls_at_the_same_time_run_in_environments_of_their_own(
    emulator: Emulator, pipes: Pipes
) -> None:
    await start(emulator, "plain.waiting", has_url=False)
    event = {"pipes": str(pipes.folder)}

    async with asyncio.TaskGroup() as group:
        calls = [group.create_task(emulator.invoke("function", event)) for _ in range(2)]
        started = {await pipes.started(), await pipes.started()}
        pipes.go_on()
        pipes.go_on()

    assert {int(call.result()["body"]) for call in calls} == started
    assert len(started) == 2


async def test_a_call_beyond_the_limit_is_throttled(
    emulator: Emulator, client: httpx.AsyncClient, pipes: Pipes
) -> None:
    url = await start(emulator, "plain.waiting", environments_max=1)

    async with asyncio.TaskGroup() as group:
        first = group.create_task(client.get(url, params={"pipes": str(pipes.folder)}))
        await pipes.started()
        refused = await client.get(url)
        with pytest.raises(ThrottledError):
            await emulator.invoke("function", {})
        pipes.go_on()

    assert first.result().status_code == 200
    assert refused.status_code == 429
    assert refused.json() == {
        "Reason": "ConcurrentInvocationLimitExceeded",
        "Type": "User",
        "message": "Rate Exceeded.",
    }


@linux_only
async def test_an_environment_is_frozen_between_calls_and_runs_during_them(
    emulator: Emulator, pipes: Pipes
) -> None:
    await start(emulator, "plain.waiting", has_url=False)
    for _ in range(2):
        call = asyncio.create_task(emulator.invoke("function", {"pipes": str(pipes.folder)}))
        pid = await pipes.started()

        assert state_of(pid) != "T"

        pipes.go_on()
        await call
        await emulator.settled("function")

        assert await has_stopped(pid)
        assert state_of(pid) == "T"


async def test_a_call_that_takes_too_long_is_killed_and_the_next_gets_a_fresh_environment(
    emulator: Emulator, client: httpx.AsyncClient, pipes: Pipes
) -> None:
    url = await start(emulator, "plain.waiting", timeout_seconds=2, environments_max=1)
    params = {"pipes": str(pipes.folder)}

    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.get(url, params=params))
        killed = await pipes.started()
    answer = call.result()

    assert answer.status_code == 502
    assert answer.json() == {"message": "Internal Server Error"}
    assert await has_ended(killed)
    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.get(url, params=params))
        fresh = await pipes.started()
        pipes.go_on()
    assert call.result().text == str(fresh)
    assert fresh != killed


async def test_a_schedule_is_told_that_its_call_was_killed(emulator: Emulator) -> None:
    await start(emulator, "plain.forever", has_url=False, timeout_seconds=0.5)

    with pytest.raises(FunctionError, match=r"Sandbox\.Timedout"):
        await emulator.invoke("function", {})


async def test_a_killed_environment_answers_502_and_is_replaced(
    emulator: Emulator, client: httpx.AsyncClient, pipes: Pipes
) -> None:
    url = await start(emulator, "plain.waiting", environments_max=1)
    params = {"pipes": str(pipes.folder)}

    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.get(url, params=params))
        killed = await pipes.started()
        os.kill(killed, signal.SIGKILL)
    assert call.result().status_code == 502

    async with asyncio.TaskGroup() as group:
        call = group.create_task(client.get(url, params=params))
        fresh = await pipes.started()
        pipes.go_on()
    assert call.result().text == str(fresh)
    assert fresh != killed


async def test_an_environment_that_dies_while_frozen_is_not_used_again(emulator: Emulator) -> None:
    await start(emulator, "plain.echo", has_url=False, environments_max=1)
    first = await emulator.invoke("function", {})
    await emulator.settled("function")

    os.kill(first["pid"], signal.SIGKILL)
    await has_ended(first["pid"])

    assert (await emulator.invoke("function", {}))["pid"] != first["pid"]


async def test_a_function_that_exits_answers_502(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "plain.http")

    assert (await client.get(f"{url}/exit")).status_code == 502
    assert (await client.get(f"{url}/")).status_code == 200


async def test_a_function_that_cannot_start_answers_502_and_says_why_in_its_log(
    emulator: Emulator, client: httpx.AsyncClient
) -> None:
    url = await start(emulator, "broken.handler")

    assert (await client.get(url)).status_code == 502
    assert "cannot start" in logged(emulator)
    with pytest.raises(FunctionError, match=r"Runtime\.Init"):
        await emulator.invoke("function", {})


async def test_a_schedule_gets_the_functions_error(emulator: Emulator) -> None:
    await start(emulator, "plain.http", has_url=False)

    with pytest.raises(FunctionError) as caught:
        await emulator.invoke("function", {"rawPath": "/fail"})

    assert caught.value.error_type == "ValueError"
    assert "broken" in caught.value.details


async def test_restore_hooks_run_in_a_function_that_starts_from_a_snapshot(
    emulator: Emulator,
) -> None:
    await start(emulator, "snapshot.handler", has_url=False, snap_start=True)

    result = await emulator.invoke("function", {})

    assert result == {"hooks": ["before", "after"], "same_loop": False}


async def test_no_environment_is_left_when_the_emulator_stops(
    emulator: Emulator, pipes: Pipes
) -> None:
    await start(emulator, "plain.waiting", has_url=False)
    call = asyncio.create_task(emulator.invoke("function", {"pipes": str(pipes.folder)}))
    pid = await pipes.started()

    await emulator.stop()

    assert await has_ended(pid)
    with pytest.raises(FunctionError):
        await call


async def test_an_environment_that_is_starting_does_not_survive_the_emulator(
    emulator: Emulator,
) -> None:
    await start(emulator, "plain.echo", has_url=False)
    call = asyncio.create_task(emulator.invoke("function", {}))
    await asyncio.sleep(0)

    await emulator.stop()

    with pytest.raises((FunctionError, ThrottledError)):
        await call


async def test_a_name_is_taken_once(emulator: Emulator) -> None:
    await start(emulator, "plain.echo", has_url=False)

    with pytest.raises(ValueError, match="function"):
        await start(emulator, "plain.echo")
