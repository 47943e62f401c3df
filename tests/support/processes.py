"""Waiting for what happens to processes, without polling."""

import asyncio
import contextlib
import os
import select
from pathlib import Path

WAIT_SECONDS_MAX = 30.0


async def has_stopped(pid: int) -> bool:
    """Wait until our child `pid` is stopped by a signal."""
    options = os.WSTOPPED | os.WNOWAIT
    waiting = asyncio.to_thread(os.waitid, os.P_PID, pid, options)
    return await asyncio.wait_for(waiting, WAIT_SECONDS_MAX) is not None


async def has_ended(pid: int) -> bool:
    """Wait until any process `pid` has ended, however it did."""
    return await asyncio.to_thread(_ended, pid)


def _ended(pid: int) -> bool:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    try:
        readable, _, _ = select.select([descriptor], [], [], WAIT_SECONDS_MAX)
    finally:
        os.close(descriptor)
    return bool(readable)


def state_of(pid: int) -> str:
    """The kernel's one-letter state of `pid`."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def descendants(pid: int) -> set[int]:
    """All processes below ``pid`` at this moment."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                stat = (folder / "stat").read_text()
                parents[int(folder.name)] = int(stat.rpartition(")")[2].split()[1])
    found: set[int] = set()
    layer = {pid}
    while layer:
        layer = {child for child, parent in parents.items() if parent in layer}
        found |= layer
    return found
