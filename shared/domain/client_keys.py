"""Public keys that a client publishes at an address of its own: how long they are good for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

KEYS_REFETCH_SECONDS_MIN: Final = 60
"""Between two fetches of one address, whoever comes with keys that are not in the set."""
KEYS_RETRY_SECONDS: Final = 15
"""After a fetch that failed; the client holds a code that is good for a minute only."""
KEYS_LAST_GOOD_SECONDS_MAX: Final = 86_400
"""How long keys count after they were fetched, while they cannot be fetched again.

Much shorter than for documents: a key that was stolen and taken back must not count for long.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredKeySet:
    """What the cache holds for one address."""

    keys: Mapping[str, Any] | None
    """A JWK Set (RFC 7517 section 5) of public keys."""
    age_seconds: float
    """Since the keys were fetched; infinite where there are none."""
    is_fresh: bool
    fault: str | None
    """Why the last fetch failed, while it is too early for the next."""

    @property
    def fresh_keys(self) -> Mapping[str, Any] | None:
        """The keys, while nobody need ask for them again."""
        return self.keys if self.is_fresh else None

    @property
    def last_good(self) -> Mapping[str, Any] | None:
        """The keys, while they may still be used without their host's word."""
        return self.keys if self.age_seconds <= KEYS_LAST_GOOD_SECONDS_MAX else None

    @property
    def was_just_fetched(self) -> bool:
        """Whether it is too early to ask for others."""
        return self.is_fresh and self.age_seconds < KEYS_REFETCH_SECONDS_MIN
