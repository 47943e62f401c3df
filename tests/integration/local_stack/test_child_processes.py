"""No part outlives the process that started it, however that one ends."""

import asyncio
import os
import signal
import sys
import textwrap
from pathlib import Path

import pytest

from scripts.local_stack.addresses import free_port
from scripts.local_stack.child_process import ChildProcess, PartFailedError
from tests.support.processes import has_ended

WAIT_SECONDS_MAX = 30.0


async def test_a_killed_parent_takes_even_a_stopped_child_with_it() -> None:
    program = textwrap.dedent("""
        import os, signal, subprocess, sys
        from scripts.local_stack import die_with_parent
        sleeper = [sys.executable, "-c", "print('up', flush=True); import signal; signal.pause()"]
        command = die_with_parent.command(sleeper)
        child = subprocess.Popen(command, stdout=subprocess.PIPE)
        child.stdout.readline()
        os.kill(child.pid, signal.SIGSTOP)
        print(child.pid, flush=True)
        signal.pause()
    """)
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE
    )
    assert parent.stdout is not None
    child = int(await asyncio.wait_for(parent.stdout.readline(), WAIT_SECONDS_MAX))
    os.kill(parent.pid, signal.SIGKILL)
    await parent.wait()

    assert await has_ended(child)


async def test_a_part_that_ends_at_start_is_reported_with_the_end_of_its_log(
    tmp_path: Path,
) -> None:
    part = ChildProcess("moto", "scripts.local_stack.aws_server", log_file=tmp_path / "aws.log")
    part.start(["--no-such-option"])
    try:
        with pytest.raises(PartFailedError, match=r"(?s)moto does not run.*--port"):
            await part.wait_until_it_listens("127.0.0.1", free_port("127.0.0.1"))
    finally:
        part.stop()
