"""Seals and opens upstream tokens: one data key per stage and generation, one key per person.

Never stores a key in the open, and never seals anything while no key can be had.
"""

import asyncio
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from shared.domain.data_keys import WrappedDataKey
from shared.domain.grants import SealedPair
from shared.errors.base import UnavailableError
from shared.observability import metrics, recovery
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import Ending
from shared.vault import envelope
from shared.vault.envelope import SealBinding, SealedTokenRefusedError
from shared.vault.kms_data_keys import (
    DEPENDENCY,
    GeneratedDataKey,
    KeyServiceUnavailableError,
    KeyUnusableError,
)
from shared.vault.opened_keys import OpenedKeys

__all__ = [
    "DataKeyService",
    "DataKeyStore",
    "KeyServiceUnavailableError",
    "KeyUnusableError",
    "RefusalRecorder",
    "SealBinding",
    "SealedTokenRefusedError",
    "TokenVault",
    "data_key_context",
]

APP: Final = "drupalize-mcp"
FIRST_GENERATION: Final = 1


class DataKeyStore(Protocol):
    """Where wrapped data keys are kept."""

    async def newest(self) -> WrappedDataKey | None:
        """The newest generation, or None."""

    async def find(self, generation: int) -> WrappedDataKey | None:
        """The data key of this generation, or None."""

    async def add(self, key: WrappedDataKey) -> bool:
        """Store a new generation; False when it exists already."""


class DataKeyService(Protocol):
    """What makes and unwraps data keys."""

    async def generate(self, context: Mapping[str, str]) -> GeneratedDataKey:
        """Make a new data key."""

    async def open(
        self, wrapped_key: bytes, *, kms_key_id: str, context: Mapping[str, str]
    ) -> bytes:
        """Unwrap a data key."""

    def forget_client(self) -> None:
        """Drop connections and credentials."""


class RefusalRecorder(Protocol):
    """Where it is put on record that a sealed token did not open."""

    async def record(self, binding: SealBinding, reason: str) -> None:
        """Put it on record; never raises for a record that cannot be kept."""


def data_key_context(stage: str, generation: int) -> dict[str, str]:
    """The encryption context of a data key: KMS opens it for this stage and generation only."""
    return {"app": APP, "stage": stage, "generation": str(generation)}


class TokenVault:
    """The only place where upstream tokens are sealed and opened.

    It may look up a wrapped key, so never call it while holding a database transaction.
    """

    def __init__(
        self,
        *,
        stage: str,
        kms: DataKeyService,
        keys: DataKeyStore,
        cache_seconds: float,
        # Wall clock: an environment that was frozen must not find its keys still fresh.
        clock: Callable[[], float] = time.time,
        refusals: RefusalRecorder | None = None,
    ) -> None:
        self._stage = stage
        self._kms = kms
        self._keys = keys
        self._cache_seconds = cache_seconds
        self._clock = clock
        self._refusals = refusals
        self._opened = OpenedKeys(cache_seconds=cache_seconds)
        self._opening = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._newest: int | None = None
        self._newest_until = 0.0

    async def prepare(self) -> int:
        """Make sure that sealing will work, and say with which key generation.

        Call it before anything that yields a secret which must not be lost.

        Raises:
            KeyServiceUnavailableError: no key can be had now.
            UnavailableError: the store of wrapped keys is away.
        """
        if self._newest is not None and self._clock() < self._newest_until:
            await self._data_key(self._newest)
            return self._newest
        newest = await self._keys.newest() or await self._create_first()
        try:
            await self._data_key(newest.generation, newest)
        except KeyServiceUnavailableError as error:
            return await self._stay_with_former(newest.generation, error)
        self._newest = newest.generation
        self._newest_until = self._clock() + self._cache_seconds
        return newest.generation

    async def _stay_with_former(self, newest: int, error: KeyServiceUnavailableError) -> int:
        """A generation made just before KMS went away must not take the one at hand away."""
        if self._newest is None or self._newest == newest:
            raise error
        await self._data_key(self._newest)
        log.warning("sealing stays with the former generation", key_generation=self._newest)
        return self._newest

    async def seal(self, plain: bytes, *, user_salt: bytes, binding: SealBinding) -> SealedPair:
        """Seal ``plain`` for a person and a place, under the generation last prepared.

        Raises:
            KeyServiceUnavailableError: nothing was prepared, and no key can be had now.
            SealedTokenRefusedError: the person's salt is gone.
        """
        generation = await self.prepare() if self._newest is None else self._newest
        # The key prepared a moment ago serves even if its time in the cache ended meanwhile:
        # what is sealed here may exist nowhere else.
        data_key = self._opened.held(generation, now=self._clock())
        if data_key is None:
            data_key = await self._data_key(generation)
        key = envelope.person_key(
            data_key, stage=self._stage, key_generation=generation, user_salt=user_salt
        )
        return SealedPair(
            ciphertext=envelope.seal(plain, key=key, binding=binding), key_generation=generation
        )

    async def open(self, sealed: SealedPair, *, user_salt: bytes, binding: SealBinding) -> bytes:
        """What was sealed for this person and place.

        Raises:
            KeyServiceUnavailableError: its key cannot be had now.
            SealedTokenRefusedError: damaged, moved, or its key or salt is gone for good. It is
                counted, and put on record.
        """
        try:
            return await self._open(sealed, user_salt, binding)
        except SealedTokenRefusedError as error:
            reason = str(error.facts.get("reason", "unknown"))
            metrics.count(MetricName.SEALS_REFUSED, cause=reason)
            if self._refusals is not None:
                await self._refusals.record(binding, reason)
            raise

    async def _open(self, sealed: SealedPair, user_salt: bytes, binding: SealBinding) -> bytes:
        generation = envelope.key_generation_of(sealed.ciphertext)
        if generation != sealed.key_generation:
            raise SealedTokenRefusedError({"reason": "key_generation"})
        key = envelope.person_key(
            await self._data_key(generation),
            stage=self._stage,
            key_generation=generation,
            user_salt=user_salt,
        )
        return envelope.unseal(sealed.ciphertext, key=key, binding=binding)

    def forget_keys(self) -> None:
        """Forget every opened key and the KMS client: a snapshot must not carry them."""
        self._opened.forget_all()
        self._newest = None
        self._kms.forget_client()

    async def _data_key(self, generation: int, wrapped: WrappedDataKey | None = None) -> bytes:
        fresh = self._opened.fresh(generation, now=self._clock())
        if fresh is not None:
            return fresh
        async with self._turn():
            # Others queued behind the first one to ask find its answer here.
            fresh = self._opened.fresh(generation, now=self._clock())
            if fresh is not None:
                return fresh
            try:
                plain_key = await self._unwrap(generation, wrapped)
            except UnavailableError as error:
                return self._serve_in_outage(generation, error)
            self._opened.put(generation, plain_key, now=self._clock())
            return plain_key

    def _turn(self) -> asyncio.Lock:
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # A lock belongs to the event loop that first waited for it.
            self._loop, self._opening = loop, asyncio.Lock()
        return self._opening

    async def _unwrap(self, generation: int, wrapped: WrappedDataKey | None) -> bytes:
        found = wrapped or await self._keys.find(generation)
        if found is None:
            raise SealedTokenRefusedError({"reason": "no_data_key", "key_generation": generation})
        return await self._kms.open(
            found.wrapped_key, kms_key_id=found.kms_key_id, context=self._context(generation)
        )

    def _serve_in_outage(self, generation: int, error: UnavailableError) -> bytes:
        if isinstance(error, KeyUnusableError):
            # Somebody disabled the key: that must take effect.
            self._opened.forget(generation)
            raise error
        plain_key = self._opened.in_outage(generation, now=self._clock())
        if plain_key is None:
            raise error
        metrics.count(MetricName.STALE_KEYS_SERVED)
        recovery.recovered(DEPENDENCY, Ending.FALLBACK)
        log.warning("cached data key serves during an outage", key_generation=generation)
        return plain_key

    async def _create_first(self) -> WrappedDataKey:
        made = await self._kms.generate(self._context(FIRST_GENERATION))
        key = WrappedDataKey(
            generation=FIRST_GENERATION, wrapped_key=made.wrapped_key, kms_key_id=made.kms_key_id
        )
        if await self._keys.add(key):
            self._opened.put(FIRST_GENERATION, made.plain_key, now=self._clock())
            return key
        # Another instance was faster: its key is the one that everybody uses.
        stored = await self._keys.newest()
        if stored is None:
            raise SealedTokenRefusedError({"reason": "no_data_key"})
        return stored

    def _context(self, generation: int) -> dict[str, str]:
        return data_key_context(self._stage, generation)
