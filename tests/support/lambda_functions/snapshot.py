"""A function that tells which snapshot hooks have run, and which event loop is in use."""

import asyncio
from typing import Any

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from shared.lambda_stream import event_loop

hooks: list[str] = []
loop_at_start = event_loop.run(asyncio.sleep(0, event_loop.current()))

snapshot_restore_py.register_before_snapshot(hooks.append, "before")
snapshot_restore_py.register_after_restore(hooks.append, "after")


def handler(_event: dict[str, Any], _context: object) -> dict[str, Any]:
    """Answer with the hooks that ran."""
    return {"hooks": hooks, "same_loop": event_loop.current() is loop_at_start}
