"""Tells a waiting client, at intervals, that the site has not answered yet.

Never changes the outcome of the work: a lost notification is a lost notification.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Protocol

FIRST_REPORT_SECONDS = 1.0
NEXT_REPORT_SECONDS = 2.0
_TEXT = "Waiting for the site to answer"


class ProgressChannel(Protocol):
    """Where reports go: the SDK's session of one request, silent if nobody asked for progress."""

    async def report_progress(
        self, progress: float, total: float | None = None, message: str | None = None
    ) -> None:
        """Send one report."""


@asynccontextmanager
async def reported_wait(
    channel: ProgressChannel,
    *,
    first_seconds: float = FIRST_REPORT_SECONDS,
    next_seconds: float = NEXT_REPORT_SECONDS,
) -> AsyncIterator[None]:
    """Report while the body of the ``with`` block is waiting: after 1 s, then every 2 s."""
    reporter = asyncio.create_task(_report(channel, first_seconds, next_seconds))
    try:
        yield
    finally:
        reporter.cancel()
        await asyncio.wait({reporter})
        if not reporter.cancelled():
            # Looked at, so that asyncio does not complain: a broken channel breaks no call.
            reporter.exception()


async def _report(channel: ProgressChannel, first_seconds: float, next_seconds: float) -> None:
    waited = first_seconds
    await asyncio.sleep(first_seconds)
    while True:
        # Progress must rise (MCP, progress flow); the total is unknown.
        await channel.report_progress(waited, None, f"{_TEXT} ({waited:.0f} s)")
        await asyncio.sleep(next_seconds)
        waited += next_seconds
