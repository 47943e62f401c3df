"""Writes down what people were shown, after the answer, and not what is written already."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from shared.domain.content import Document
from shared.domain.identifiers import UserId
from shared.state import content_cache
from shared.state.database import Database

NOTES_MAX: Final = 1_000
NOTE_SECONDS: Final = 1_800.0
"""For so long the same text needs no other note."""

_Key = tuple[UserId, str]


class ShownNotes:
    """The copies in Postgres; also where they are found and forgotten."""

    def __init__(
        self, database: Database, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._database = database
        self._monotonic = monotonic
        self._noted: OrderedDict[_Key, tuple[int, float]] = OrderedDict()

    async def note(self, user_id: UserId, document: Document) -> None:
        """The site has shown this to the person just now."""
        text = content_cache.text_of(document)
        if text is None or self._is_noted(user_id, document.content_id, text):
            return
        async with self._database.autocommit() as tx:
            await content_cache.note(tx, user_id, document.content_id, text)
        self._noted[user_id, document.content_id] = (hash(text), self._monotonic())
        while len(self._noted) > NOTES_MAX:
            self._noted.popitem(last=False)

    async def find(self, user_id: UserId, content_id: str) -> Document | None:
        """What the person was shown, with its age."""
        async with self._database.autocommit() as tx:
            return await content_cache.find(tx, user_id, content_id)

    async def forget(self, user_id: UserId, content_id: str | None) -> None:
        """One item, or all that the person was shown."""
        self.clear()
        async with self._database.autocommit() as tx:
            await content_cache.forget(tx, user_id, content_id)

    def clear(self) -> None:
        """Take nothing for written."""
        self._noted.clear()

    def _is_noted(self, user_id: UserId, content_id: str, text: str) -> bool:
        found = self._noted.get((user_id, content_id))
        if found is None:
            return False
        digest, noted_at = found
        return digest == hash(text) and self._monotonic() - noted_at < NOTE_SECONDS
