"""`scripts/dev` from the outside: start, status, a second start, a part that dies, stop."""

import asyncio
import os
import signal
from pathlib import Path

import httpx2

from tests.support.processes import descendants, has_ended
from tests.support.stack_process import (
    START_SECONDS_MAX,
    described,
    stack_command,
    stack_process,
)


async def command(folder: Path, *arguments: str) -> tuple[int | None, str]:
    process = await stack_command(folder, *arguments)
    told, _ = await asyncio.wait_for(process.communicate(), START_SECONDS_MAX)
    return process.returncode, told.decode()


async def shows_itself(url: str, words: str) -> bool:
    """Whether the stack's page of itself tells of something, once that has happened."""
    async with (
        httpx2.AsyncClient(timeout=START_SECONDS_MAX) as http,
        asyncio.timeout(START_SECONDS_MAX),
    ):
        while words not in (await http.get(url)).text:
            pass
    return True


async def test_a_running_stack_is_shown_guarded_against_a_second_one_and_stopped(
    tmp_path: Path,
) -> None:
    async with stack_process(tmp_path) as stack:
        processes = descendants(stack.pid)
        assert {"name": "maya", "password": "maya-demo", "roles": ["member"]} in described(
            tmp_path
        )["people"]

        status, told = await command(tmp_path, "status")
        assert status == 0
        assert described(tmp_path)["mcp_url"] in told

        status, told = await command(tmp_path, "up")
        assert status == 2
        assert f"process {stack.pid}" in told

        watching = await stack_command(tmp_path, "tail")
        assert watching.stdout is not None
        await watching.stdout.readuntil(b"correlation id")
        async with httpx2.AsyncClient(timeout=START_SECONDS_MAX) as http:
            await http.post(described(tmp_path)["mcp_url"], json={"jsonrpc": "2.0"})
        assert await shows_itself(described(tmp_path)["dev_url"], "mcp_endpoint POST /mcp")

        status, _ = await command(tmp_path, "stop")
        assert status == 0
        seen, _ = await watching.communicate()
        assert b"mcp_endpoint POST /mcp" in seen
        assert await stack.wait() == 0
        for process in processes:
            assert await has_ended(process)

    assert not (tmp_path / "stack.json").exists()
    assert (await command(tmp_path, "status"))[0] == 1
    assert (await command(tmp_path, "stop"))[0] == 1


async def test_the_stack_ends_with_a_reason_when_a_part_dies(tmp_path: Path) -> None:
    async with stack_process(tmp_path) as stack:
        processes = descendants(stack.pid)
        os.kill(described(tmp_path)["pids"]["drupal"], signal.SIGKILL)
        assert stack.stdout is not None
        told = await asyncio.wait_for(stack.stdout.read(), START_SECONDS_MAX)

        assert b"drupal does not run" in told
        assert await stack.wait() == 1
        for process in processes:
            assert await has_ended(process)


async def test_options_that_no_function_could_start_with_are_refused_by_name(
    tmp_path: Path,
) -> None:
    site = ("--drupal-url", "no-address", "--drupal-client-id", "ours")
    status, told = await command(tmp_path, "up", "--free-ports", *site)

    assert status == 1
    assert "DRUPAL_BASE_URL" in told
    assert "Traceback" not in told
