"""The request's own time: what is not done by its end is answered by us, not by the platform.

A function that runs out of time is answered in the platform's words, which are not OAuth's JSON and
wear none of our headers.
"""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator

from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability.request_context import remaining_seconds

LAST_WORDS_SECONDS = 1.0
"""Left of the function's time when a request is stopped. Less than what a transaction leaves
(``ANSWER_SECONDS``): the database's own refusal says more, and comes first."""


class OutOfTimeError(UnavailableError):
    """The request was stopped because the function's own time was running out."""

    code = ErrorCode.DEADLINE_EXCEEDED


@contextlib.asynccontextmanager
async def in_request_time() -> AsyncIterator[None]:
    """Stop the block ``LAST_WORDS_SECONDS`` before the platform would; outside of one, never.

    Raises:
        OutOfTimeError: it was stopped.
    """
    seconds = remaining_seconds() - LAST_WORDS_SECONDS
    limit = asyncio.timeout(None if math.isinf(seconds) else max(0.0, seconds))
    try:
        async with limit:
            yield
    except TimeoutError:
        if limit.expired():
            raise OutOfTimeError from None
        raise
