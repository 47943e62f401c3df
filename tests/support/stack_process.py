"""`scripts/dev` as a process of its own, for tests that look at it from the outside."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

START_SECONDS_MAX = 60.0
LAST_LINE_OF_START = b"Ctrl-C ends it."


async def stack_command(folder: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start the command over the data in ``folder``."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "scripts.local_stack", *arguments, "--data-dir", str(folder)),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


@asynccontextmanager
async def stack_process(folder: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A stack that says it has started; killed at the end if it still runs."""
    process = await stack_command(folder, "--free-ports", "--canary-seconds", "0")
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
    """What the stack wrote about itself."""
    description: dict[str, Any] = json.loads((folder / "stack.json").read_text())
    return description
