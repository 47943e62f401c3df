"""The whole stack is killed: it leaves no process behind, and people stay signed in."""

import os
import signal
from pathlib import Path

from scripts.fake_drupal.accounts import MEMBER
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.person import Person
from tests.support.processes import descendants, has_ended
from tests.support.stack_process import described, stack_process


async def use(folder: Path, memory: ClientMemory) -> None:
    async with ScriptedBrowser() as browser:
        person = Person(browser, MEMBER.name, MEMBER.password)
        async with connected_client(described(folder)["mcp_url"], person, memory) as client:
            assert not (await client.call_tool("search_tutorials", {"query": "views"})).is_error


async def test_after_a_kill_nothing_runs_on_and_the_client_goes_on_without_signing_in(
    tmp_path: Path,
) -> None:
    memory = ClientMemory()
    async with stack_process(tmp_path) as stack:
        await use(tmp_path, memory)
        processes = descendants(stack.pid)
        assert set(described(tmp_path)["pids"].values()) - {stack.pid} <= processes
        os.kill(stack.pid, signal.SIGKILL)
        for process in processes:
            assert await has_ended(process)

    async with stack_process(tmp_path):
        await use(tmp_path, memory)

    assert memory.sign_ins == 1
