"""Rides out short outages of the database inside one request.

Clients drop their tokens on failed refreshes, so a failover must not reach them. An attempt whose
commit is unknown is repeated only where repeating gives the same answer.
"""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from shared.observability.logging import log
from shared.observability.request_context import remaining_seconds
from shared.state.driver_errors import CommitUnknownError, DatabaseUnavailableError

T = TypeVar("T")

RIDE_OUT_SECONDS_MAX = 8.0
PAUSE_SECONDS_MIN = 0.1
PAUSE_SECONDS_MAX = 1.0
ANSWER_SECONDS = 2.0
"""Kept of the request's own time, so that an answer still leaves."""

_random = secrets.SystemRandom()


async def ride_out(attempt: Callable[[], Awaitable[T]], *, seconds: float, repeatable: bool) -> T:
    """The result of ``attempt``, tried again for up to ``seconds`` while the database is away.

    ``repeatable`` says that a second run after an unknown commit finds the first one's outcome.

    Raises:
        DatabaseUnavailableError: still away.
    """
    give_up_at = time.monotonic() + min(seconds, remaining_seconds() - ANSWER_SECONDS)
    pause_max = PAUSE_SECONDS_MIN
    while True:
        try:
            return await attempt()
        except DatabaseUnavailableError as error:
            pause = _random.uniform(PAUSE_SECONDS_MIN / 2, pause_max)
            may_repeat = repeatable or not isinstance(error, CommitUnknownError)
            if not may_repeat or time.monotonic() + pause >= give_up_at:
                raise
            log.warning("database away, trying again", error_code=error.code.value)
        await asyncio.sleep(pause)
        pause_max = min(2 * pause_max, PAUSE_SECONDS_MAX)
