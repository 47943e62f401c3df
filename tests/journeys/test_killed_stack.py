"""The whole stack is killed: it leaves no process behind, and people stay signed in."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from scripts.fake_drupal.accounts import MEMBER
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.person import Person
from tests.support.processes import descendants, has_ended

START_SECONDS_MAX = 60.0
LAST_LINE_OF_START = b"Ctrl-C ends it."


@asynccontextmanager
async def started_stack(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "scripts.local_stack", "--free-ports", "--data-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        assert process.stdout is not None
        told = await asyncio.wait_for(
            process.stdout.readuntil(LAST_LINE_OF_START), START_SECONDS_MAX
        )
        assert b"MCP endpoint" in told
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


def described(folder: Path) -> dict[str, Any]:
    description: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    return description


async def use(folder: Path, memory: ClientMemory) -> None:
    async with ScriptedBrowser() as browser:
        person = Person(browser, MEMBER.name, MEMBER.password)
        async with connected_client(described(folder)["mcp_url"], person, memory) as client:
            assert not (await client.call_tool("search_tutorials", {"query": "views"})).is_error


async def test_after_a_kill_nothing_runs_on_and_the_client_goes_on_without_signing_in(
    tmp_path: Path,
) -> None:
    memory = ClientMemory()
    async with started_stack(tmp_path) as stack:
        await use(tmp_path, memory)
        processes = descendants(stack.pid)
        assert set(described(tmp_path)["pids"].values()) - {stack.pid} <= processes
        os.kill(stack.pid, signal.SIGKILL)
        for process in processes:
            assert await has_ended(process)

    async with started_stack(tmp_path):
        await use(tmp_path, memory)

    assert memory.sign_ins == 1
