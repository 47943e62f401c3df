"""Opened data keys in memory: few, for a short time, and longer only while KMS is away.

Pure: times come in as arguments. Never grows past its bound, and never shows a key.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

KEYS_CACHED_MAX: Final = 16
OUTAGE_SECONDS_MAX: Final = 900
"""During an outage of KMS a key opened this long ago still serves."""
OUTAGE_RETRY_SECONDS: Final = 10
"""And KMS is asked again this often, so that not every call waits for it."""


@dataclass(slots=True)
class _OpenedKey:
    plain_key: bytes = field(repr=False)
    opened_at: float
    ask_again_at: float


class OpenedKeys:
    """Data keys by generation; the least recently used one goes first. Times are in seconds."""

    def __init__(self, *, cache_seconds: float) -> None:
        self._cache_seconds = cache_seconds
        self._keys: OrderedDict[int, _OpenedKey] = OrderedDict()

    def put(self, generation: int, plain_key: bytes, *, now: float) -> None:
        """Keep a key that KMS has just opened."""
        self._keys[generation] = _OpenedKey(plain_key, now, now + self._cache_seconds)
        self._keys.move_to_end(generation)
        while len(self._keys) > KEYS_CACHED_MAX:
            self._keys.popitem(last=False)

    def fresh(self, generation: int, *, now: float) -> bytes | None:
        """The key, unless KMS is to be asked again."""
        found = self._keys.get(generation)
        if found is None or now >= found.ask_again_at:
            return None
        self._keys.move_to_end(generation)
        return self.held(generation, now=now)

    def held(self, generation: int, *, now: float) -> bytes | None:
        """The key, though KMS may have to be asked again, unless it is too old even for that."""
        found = self._keys.get(generation)
        if found is None:
            return None
        if now >= found.opened_at + OUTAGE_SECONDS_MAX:
            del self._keys[generation]
            return None
        return found.plain_key

    def in_outage(self, generation: int, *, now: float) -> bytes | None:
        """As ``held``, and KMS is left alone for a moment."""
        plain_key = self.held(generation, now=now)
        if plain_key is not None:
            found = self._keys[generation]
            found.ask_again_at = max(found.ask_again_at, now + OUTAGE_RETRY_SECONDS)
        return plain_key

    def forget(self, generation: int) -> None:
        """Drop one key."""
        self._keys.pop(generation, None)

    def forget_all(self) -> None:
        """Drop every key."""
        self._keys.clear()
