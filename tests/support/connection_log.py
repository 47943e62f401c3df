"""Which addresses Python connects to, told by the interpreter itself: nothing can go around it.

Drivers in C (the database's) are not seen.
"""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_logs: list[list[tuple[str, int]]] = []
_hooked: list[bool] = []


def _heard(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "socket.connect" and isinstance(arguments[1], tuple):
        host, port = arguments[1][:2]
        for log in _logs:
            log.append((str(host), int(port)))


@contextmanager
def connection_log() -> Iterator[list[tuple[str, int]]]:
    """Hosts and ports of every connection that is begun inside, whether it succeeds or not."""
    if not _hooked:
        sys.addaudithook(_heard)  # it cannot be taken away again
        _hooked.append(True)
    log: list[tuple[str, int]] = []
    _logs.append(log)
    try:
        yield log
    finally:
        _logs.remove(log)
