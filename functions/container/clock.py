"""A schedule as a process: the function's own handler, tick after tick.

A tick that fails is no reason to end: the next one does the same work.
"""

import asyncio
import datetime as dt
import importlib
import signal
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Final

from functions.container.roles import LAST_TICK, Role
from shared.observability.instrument import InvocationError

Handler = Callable[[dict[str, Any], None], Any]

INTERVAL_SECONDS: Final[Mapping[Role, float]] = {Role.TOKEN_REFRESH: 60.0, Role.CLEANUP: 300.0}
"""As the schedules of template.yaml."""


async def tick_on(role: Role) -> int:
    """Tick until SIGTERM or SIGINT; a tick under way comes to its end.

    Exit status: always 0.
    """
    # Imported here: a process is one function, and starts the observability of one.
    handler: Handler = importlib.import_module(f"functions.{role.value}.handler").handler
    ends = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ends.set)
    await _ticks(handler, ends, seconds=INTERVAL_SECONDS[role])
    return 0


async def _ticks(handler: Handler, ends: asyncio.Event, *, seconds: float) -> None:
    while not ends.is_set():
        # In a thread: the handler runs an event loop of its own.
        if await asyncio.to_thread(_tick, handler):
            LAST_TICK.touch()
        try:
            await asyncio.wait_for(ends.wait(), timeout=seconds)
        except TimeoutError:
            continue


def _tick(handler: Handler) -> bool:
    """Whether it came to an end; what went wrong is in the log."""
    try:
        handler(_scheduled_event(), None)
    except InvocationError:
        return False
    return True


def _scheduled_event() -> dict[str, Any]:
    """What EventBridge sends, with nothing made up that anybody reads."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": "000000000000",
        "time": dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "region": "none",
        "resources": [],
        "detail": {},
    }
