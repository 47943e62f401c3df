"""What this person's same search has found before, in place of a search that does not answer.

Never serves what the site refuses, and never in place of an answer, unless operators want that for
some seconds.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final, Protocol

from shared.domain.content import SearchPage, SearchQuery
from shared.domain.identifiers import UserId
from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.logging import log

STORE_SECONDS_MAX: Final = 1.0
"""Nobody waits longer for results that were kept, or for their removal."""
STALE_SECONDS_MAX: Final = 86_400.0
"""So old results may be that stand in for a search that is away."""

_REFUSES: Final = frozenset(
    {ErrorCode.SUBSCRIPTION_REQUIRED, ErrorCode.ACCOUNT_UNAVAILABLE, ErrorCode.GRANT_ENDED}
)


class SearchStore(Protocol):
    """Where results are kept."""

    async def find_search(
        self, user_id: UserId, query: SearchQuery, *, seconds_max: float
    ) -> SearchPage | None:
        """What was found for the person within ``seconds_max``, with its age."""
        ...

    async def forget_searches(self, user_id: UserId) -> None:
        """All that was found for the person."""
        ...


class KeptSearches:
    """Asks the site, and what was kept for the person while its search is away.

    ``recent_seconds`` is for how long results serve the same person's same search without asking
    the site; 0, always ask.
    """

    def __init__(self, store: SearchStore, *, recent_seconds: int = 0) -> None:
        self._store = store
        self._recent_seconds = recent_seconds

    async def search(
        self, user_id: UserId, query: SearchQuery, ask_site: Callable[[], Awaitable[SearchPage]]
    ) -> SearchPage:
        """One page: the site's, or with its age what it has found for this person before.

        Raises:
            ServiceError: whatever ``ask_site`` raised, where nothing was kept.
        """
        if self._recent_seconds:
            recent = await self._found(user_id, query, seconds_max=self._recent_seconds)
            if recent is not None:
                _count("search_recent")
                return recent
        try:
            return await ask_site()
        except UnavailableError:
            stale = await self._found(user_id, query, seconds_max=STALE_SECONDS_MAX)
            _count("search_missing" if stale is None else "search_served")
            if stale is None:
                raise
            return replace(stale, stands_in=True)
        except ServiceError as error:
            if error.code in _REFUSES:
                await self._forget(user_id)
            raise

    async def _found(
        self, user_id: UserId, query: SearchQuery, *, seconds_max: float
    ) -> SearchPage | None:
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                return await self._store.find_search(user_id, query, seconds_max=seconds_max)
        except (UnavailableError, TimeoutError):
            return None

    async def _forget(self, user_id: UserId) -> None:
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                await self._store.forget_searches(user_id)
        except (UnavailableError, TimeoutError):
            # They last a day at most; the site is asked first every time it answers.
            log.warning("results that the site refuses were not removed")


def _count(outcome: str) -> None:
    metrics.count(metrics.MetricName.CONTENT_COPIES, outcome=outcome)
