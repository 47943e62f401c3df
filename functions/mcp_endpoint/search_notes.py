"""Keeps what people's searches have found, after the answer, and not what is kept already."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.domain.content import FoundPage, SearchPage, SearchQuery
from shared.domain.identifiers import UserId
from shared.state import kept_searches
from shared.state.database import Database

NOTES_MAX: Final = 1_000
NOTE_SECONDS: Final = 1_800.0
"""For so long the same results need no other row, unless they serve as recent for less."""

_Key = tuple[UserId, bytes]


class SearchNotes:
    """The results in Postgres; also where they are found and forgotten."""

    def __init__(
        self,
        database: Database,
        *,
        recent_seconds: int = 0,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._database = database
        self._seconds = min(NOTE_SECONDS, recent_seconds or NOTE_SECONDS)
        self._monotonic = monotonic
        self._kept: OrderedDict[_Key, tuple[int, float]] = OrderedDict()

    async def note(self, user_id: UserId, found: FoundPage) -> None:
        """The site has found this for the person just now."""
        text = kept_searches.text_of(found.page)
        key = (user_id, kept_searches.digest_of(found.query))
        if text is None or self._is_kept(key, text):
            return
        async with self._database.autocommit() as tx:
            await kept_searches.keep(tx, user_id, found.query, text)
        self._kept[key] = (hash(text), self._monotonic())
        self._kept.move_to_end(key)
        while len(self._kept) > NOTES_MAX:
            self._kept.popitem(last=False)

    async def find_search(
        self, user_id: UserId, query: SearchQuery, *, seconds_max: float
    ) -> SearchPage | None:
        """What was found for the person within ``seconds_max``, with its age."""
        async with self._database.autocommit() as tx:
            return await kept_searches.find(tx, user_id, query, seconds_max=seconds_max)

    async def forget_searches(self, user_id: UserId) -> None:
        """All that was found for the person."""
        self.clear()
        async with self._database.autocommit() as tx:
            await kept_searches.forget(tx, user_id)

    def clear(self) -> None:
        """Take nothing for kept."""
        self._kept.clear()

    def _is_kept(self, key: _Key, text: str) -> bool:
        found = self._kept.get(key)
        if found is None:
            return False
        digest, kept_at = found
        return digest == hash(text) and self._monotonic() - kept_at < self._seconds
