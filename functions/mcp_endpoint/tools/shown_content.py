"""Content that this person has been shown, in place of a site that does not answer.

Never serves what the site refuses: a refusal is no outage, and is remembered as the end of it.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from shared.domain.content import Document
from shared.domain.identifiers import UserId
from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.logging import log

STORE_SECONDS_MAX: Final = 1.0
"""Nobody waits longer for a copy, or for its removal."""

_REFUSES_ITEM: Final = frozenset({ErrorCode.SUBSCRIPTION_REQUIRED, ErrorCode.CONTENT_NOT_FOUND})
_REFUSES_PERSON: Final = frozenset({ErrorCode.ACCOUNT_UNAVAILABLE, ErrorCode.GRANT_ENDED})


class ShownStore(Protocol):
    """Where copies are."""

    async def find(self, user_id: UserId, content_id: str) -> Document | None:
        """What the person was shown, with its age."""
        ...

    async def forget(self, user_id: UserId, content_id: str | None) -> None:
        """One item, or all that the person was shown."""
        ...


class ShownContent:
    """Reads from the site, and from a person's own copies while the site is away."""

    def __init__(self, store: ShownStore) -> None:
        self._store = store

    async def read(
        self, user_id: UserId, content_id: str, ask_site: Callable[[], Awaitable[Document]]
    ) -> Document:
        """The document: the site's, or with its age what the site has shown to this person.

        Raises:
            ServiceError: whatever ``ask_site`` raised, where there is no copy.
        """
        try:
            return await ask_site()
        except UnavailableError:
            copy = await self._copy(user_id, content_id)
            if copy is None:
                raise
            return copy
        except ServiceError as error:
            await self._heed(error, user_id, content_id)
            raise

    async def _copy(self, user_id: UserId, content_id: str) -> Document | None:
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                found = await self._store.find(user_id, content_id)
        except (UnavailableError, TimeoutError):
            found = None
        outcome = "missing" if found is None else "served"
        metrics.count(metrics.MetricName.CONTENT_COPIES, outcome=outcome)
        return found

    async def _heed(self, error: ServiceError, user_id: UserId, content_id: str) -> None:
        if error.code not in _REFUSES_ITEM | _REFUSES_PERSON:
            return
        refused = content_id if error.code in _REFUSES_ITEM else None
        try:
            async with asyncio.timeout(STORE_SECONDS_MAX):
                await self._store.forget(user_id, refused)
        except (UnavailableError, TimeoutError):
            # It lasts a day at most; the site is asked first every time it answers.
            log.warning("a copy that the site refuses was not removed")
