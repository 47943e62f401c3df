"""Rides out short outages of the database inside one request.

Clients drop their tokens on failed refreshes, so a failover must not reach them. Attempts must
find the outcome of an earlier one whose commit was not acknowledged, never do it all over again.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.observability.logging import log
from shared.observability.request_context import remaining_seconds
from shared.state.driver_errors import DatabaseUnavailableError

T = TypeVar("T")

RIDE_OUT_SECONDS_MAX = 8.0
PAUSE_SECONDS_MIN = 0.1
PAUSE_SECONDS_MAX = 1.0
ANSWER_SECONDS = 2.0
"""Kept of the request's own time, so that an answer still leaves."""

_random = secrets.SystemRandom()


def attempt_seconds() -> float:
    """How long one attempt may take: a request that the platform cuts off answers in its words."""
    return remaining_seconds() - ANSWER_SECONDS


async def ride_out(attempt: Callable[[], Awaitable[T]], *, seconds: float) -> T:
    """The result of ``attempt``, tried again for up to ``seconds`` while the database is away.

    Raises:
        DatabaseUnavailableError: still away.
    """
    give_up_at = time.monotonic() + min(seconds, attempt_seconds())
    pause_max = PAUSE_SECONDS_MIN
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError as error:
            pause = _random.uniform(PAUSE_SECONDS_MIN / 2, pause_max)
            if time.monotonic() + pause >= give_up_at:
                raise
            log.warning("database away, trying again", error_code=error.code.value)
        await asyncio.sleep(pause)
        pause_max = min(2 * pause_max, PAUSE_SECONDS_MAX)
