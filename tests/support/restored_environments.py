"""Two environments that wake up from one snapshot, each telling what it has that must be its own.

Run as ``python -m tests.support.restored_environments FUNCTION``. A fork stands for the snapshot:
both children have all that was in memory, Python's random state put back to what it was.
"""

import importlib
import json
import os
import random
import sys
from pathlib import Path
from typing import Any, TextIO

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from shared.domain.tokens import TokenKind, mint
from shared.lambda_stream import event_loop
from shared.observability.request_context import new_correlation_id


def main() -> int:
    """Print what was drawn before the snapshot, then one line for each environment."""
    state = random.getstate()
    drawn: list[str] = []
    _watch_urandom(drawn)
    handler = importlib.import_module(f"functions.{sys.argv[1]}.handler")
    for hook, arguments, named in snapshot_restore_py.get_before_snapshot():
        hook(*arguments, **named)
    before = {
        "random_untouched": random.getstate() == state,
        "drawn_by": sorted(set(drawn)),
        "sockets": _open_sockets(),
    }
    _tell(sys.stdout, before)
    for _ in range(2):
        child = os.fork()
        if child == 0:
            random.setstate(state)
            for hook, arguments, named in snapshot_restore_py.get_after_restore():
                hook(*arguments, **named)
            _tell(sys.stdout, _own(handler))
            os._exit(0)
        os.waitpid(child, 0)
    return 0


def _watch_urandom(drawn: list[str]) -> None:
    real = os.urandom

    def watched(size: int, /) -> bytes:
        drawn.append(_asker())
        return real(size)

    os.urandom = watched


def _open_sockets() -> int:
    folder = Path("/proc/self/fd")
    links = (str(name.readlink()) for name in folder.iterdir() if name.is_symlink())
    return sum(link.startswith("socket:") for link in links)


def _asker() -> str:
    """The module that wanted randomness; ``uuid`` draws for others."""
    frame = sys._getframe(2)
    while frame.f_back is not None and frame.f_globals.get("__name__") == "uuid":
        frame = frame.f_back
    return str(frame.f_globals.get("__name__"))


def _own(handler: Any) -> dict[str, object]:
    nothing_built = handler._parts._parts is None
    parts = handler._parts()
    return {
        "nothing_was_built_before": nothing_built,
        "random": random.random(),  # noqa: S311 - as libraries do
        "token": str(mint(TokenKind.REFRESH)),
        "correlation_id": new_correlation_id(),
        "database_answers": event_loop.run(_asked(parts.opened.database)),
    }


async def _asked(database: Any) -> bool:
    async with database.autocommit() as tx:
        return bool(await tx.row("SELECT 1 AS one"))


def _tell(where: TextIO, facts: dict[str, object]) -> None:
    where.write(json.dumps(facts) + "\n")
    where.flush()


if __name__ == "__main__":
    raise SystemExit(main())
