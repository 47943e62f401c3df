"""Runs a program that ends with this process, and keeps what it printed.

It must never leave the program behind, however the wait for it ends.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.local_stack import die_with_parent

_LINE_BYTES_MAX: Final = 8 * 1024 * 1024

OnLine = Callable[[str], Awaitable[None]]


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    exit_code: int
    output: str
    errors: str


async def run_program(
    command: Sequence[str],
    *,
    environment: Mapping[str, str],
    seconds_max: float,
    on_line: OnLine | None = None,
) -> Outcome:
    """Run a program to its end; `on_line` is told every line that it prints.

    Raises:
        TimeoutError: it took longer than `seconds_max`, and was killed.
    """
    process = await asyncio.create_subprocess_exec(
        *die_with_parent.command(list(command)),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(environment),
        limit=_LINE_BYTES_MAX,
    )
    try:
        async with asyncio.timeout(seconds_max), asyncio.TaskGroup() as reading:
            output = reading.create_task(_lines(process.stdout, on_line))
            errors = reading.create_task(_lines(process.stderr, None))
        exit_code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return Outcome(exit_code, output.result(), errors.result())


async def _lines(stream: asyncio.StreamReader | None, on_line: OnLine | None) -> str:
    lines: list[str] = []
    while stream and (raw := await stream.readline()):
        lines.append(raw.decode(errors="replace"))
        if on_line is not None:
            await on_line(lines[-1].rstrip())
    return "".join(lines)
