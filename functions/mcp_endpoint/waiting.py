"""Work that waits for the site: within the time of its request, and with news for the client.

Never lets the platform be the one that ends a request.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable
from typing import ClassVar, TypeVar

from functions.mcp_endpoint.progress import ProgressChannel, reported_wait
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

T = TypeVar("T")

ANSWER_MARGIN_SECONDS = 4.0
"""Left of the request's time when work is stopped: to answer, and to write the usage row."""


class WorkDeadlineError(UnavailableError):
    """The work was stopped because the request's time was running out."""

    code: ClassVar[ErrorCode] = ErrorCode.DEADLINE_EXCEEDED


async def awaited(
    work: Callable[[], Awaitable[T]],
    channel: ProgressChannel,
    *,
    remaining_seconds: Callable[[], float],
) -> T:
    """What ``work`` gives, stopped ``ANSWER_MARGIN_SECONDS`` before the request's end.

    Raises:
        WorkDeadlineError: it was stopped.
    """
    seconds = remaining_seconds() - ANSWER_MARGIN_SECONDS
    limit = None if math.isinf(seconds) else max(0.0, seconds)
    try:
        async with asyncio.timeout(limit) as deadline, reported_wait(channel):
            return await work()
    except TimeoutError:
        if not deadline.expired():
            raise
        raise WorkDeadlineError from None
