"""Calls to the site under the eyes of somebody who may refuse them before they are sent."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.upstream import failures


class Watch(Protocol):
    """Watches one call; raises an ``UnavailableError`` where it must not go out."""

    def __call__(
        self, operation: str, *, timeout_seconds: float
    ) -> AbstractAsyncContextManager[None]:
        """Watch a call of ``operation`` that was given ``timeout_seconds``."""
        ...


@asynccontextmanager
async def unwatched(operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:  # noqa: ARG001 - the shape of a watch
    """Nobody watches, for tools that look at a site once."""
    yield


@asynccontextmanager
async def watched(watch: Watch, operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:
    """Run the block under ``watch``.

    Raises:
        UpstreamUnavailableError: it was refused; nothing was sent.
    """
    try:
        async with watch(operation, timeout_seconds=timeout_seconds):
            yield
    except failures.UpstreamUnavailableError:
        raise
    except UnavailableError as refusal:
        raise as_outage(refusal) from refusal


def as_outage(refusal: UnavailableError) -> failures.UpstreamUnavailableError:
    """A refused call in this room's own words."""
    search = refusal.code is ErrorCode.SEARCH_UNAVAILABLE
    kind = failures.SearchUnavailableError if search else failures.UpstreamUnavailableError
    return kind(refusal.facts, sent=False, retry_after_seconds=refusal.retry_after_seconds)
