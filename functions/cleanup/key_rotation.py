"""Data keys change: a successor every month, another KMS key when told so, pairs moved along.

Every step can stop anywhere and is taken up by the next run; what it works off is what the rows
themselves say. All live generations stay readable throughout, so no call waits for any of it.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Protocol

from shared.domain.data_keys import WrappedDataKey
from shared.domain.grants import SealedPair
from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state import audit_events, data_keys, resealing
from shared.state.audit_events import AuditAction
from shared.state.data_keys import NewestDataKey
from shared.state.database import Database, Transaction
from shared.state.resealing import Place, StoredPair
from shared.vault.token_vault import SealedTokenRefusedError, TokenVault
from shared.workflows.sealed_pairs import pair_binding

MOVE_BATCH_MAX: Final = 500
MOVE_BATCHES_MAX: Final = 20
BATCH_SECONDS_MAX: Final = 5.0
"""Left of the invocation when a batch begins."""
RETIRE_AFTER_SECONDS: Final = 14 * 86_400
"""Longer than a refreshed pair can lie outside the database, and than any key is cached."""
DAY_SECONDS: Final = 86_400


class DataKeyMaker(Protocol):
    """What makes and re-wraps data keys."""

    async def make(self, generation: int) -> WrappedDataKey:
        """A new one, wrapped."""

    async def kms_key_arn(self) -> str:
        """The KMS key that is to wrap all of them."""

    async def rewrap(self, key: WrappedDataKey) -> WrappedDataKey:
        """The same one under that KMS key."""


class KeyRotation:
    """What one run of the cleanup does about data keys."""

    def __init__(
        self,
        database: Database,
        vault: TokenVault,
        maker: DataKeyMaker,
        *,
        generation_days: int,
        move_after_seconds: float,
        seconds_left: Callable[[], float],
    ) -> None:
        self._database = database
        self._vault = vault
        self._maker = maker
        self._generation_seconds = generation_days * DAY_SECONDS
        self._move_after_seconds = move_after_seconds
        self._seconds_left = seconds_left

    async def run(self) -> dict[str, int]:
        """Do what is due; how many data keys and pairs each step concerned.

        A step that fails is left to the next run and keeps no other from being taken.
        """
        done = {"keys_rewrapped": 0, "keys_made": 0, "pairs_resealed": 0, "keys_retired": 0}
        with span(SpanName.ROTATE_KEYS):
            newest = await self._newest()
            if newest is None:
                return done  # nothing was ever sealed in this stage
            done["keys_rewrapped"] = await _guarded("rewrap", self._rewrap)
            done["keys_made"] = await _guarded("make", lambda: self._make(newest))
            done["pairs_resealed"] = await _guarded("move", self._move)
            done["keys_retired"] = await _guarded("retire", self._retire)
            await _guarded("measure", self._measure)
        return done

    async def _newest(self) -> NewestDataKey | None:
        async with self._database.autocommit() as tx:
            return await data_keys.newest_with_age(tx)

    async def _rewrap(self) -> int:
        """Wrap under the present KMS key whatever another one still wraps."""
        async with self._database.autocommit() as tx:
            every = await data_keys.every(tx)
        wanted = await self._maker.kms_key_arn()
        done = 0
        for key in every:
            if key.kms_key_id == wanted:
                continue
            wrapped_anew = await self._maker.rewrap(key)
            async with self._database.transaction() as tx:
                if await data_keys.rewrap(tx, key, wrapped_anew):
                    await _record(tx, AuditAction.DATA_KEY_REWRAPPED, key.generation)
                    done += 1
        return done

    async def _make(self, newest: NewestDataKey) -> int:
        """Make the next generation when the newest is old enough; one of several runs wins."""
        if newest.age_seconds < self._generation_seconds:
            return 0
        key = await self._maker.make(newest.key.generation + 1)
        async with self._database.transaction() as tx:
            if not await data_keys.add_when_due(tx, key, age_seconds=self._generation_seconds):
                return 0
            await _record(tx, AuditAction.DATA_KEY_MADE, key.generation)
        return 1

    async def _move(self) -> int:
        """Re-seal pairs that no refresh has moved, batch by batch."""
        newest = await self._newest()
        if newest is None or newest.age_seconds < self._move_after_seconds:
            return 0
        target = await self._vault.prepare()
        moved, place = 0, resealing.START
        for _ in range(MOVE_BATCHES_MAX):
            if self._seconds_left() <= BATCH_SECONDS_MAX:
                break
            async with self._database.autocommit() as tx:
                batch = await resealing.under_old_keys(
                    tx, newest=target, after=place, limit=MOVE_BATCH_MAX
                )
            if not batch:
                break
            moved += await self._reseal(batch)
            place = Place(key_generation=batch[-1].pair.key_generation, grant_id=batch[-1].grant_id)
        metrics.count(MetricName.PAIRS_RESEALED, moved)
        return moved

    async def _reseal(self, batch: Sequence[StoredPair]) -> int:
        resealed: list[tuple[StoredPair, SealedPair]] = []
        for stored in batch:
            try:
                resealed.append((stored, await self._sealed_anew(stored)))
            except SealedTokenRefusedError:
                # On record already. It stays as it is: moving it would hide what happened to it.
                continue
        async with self._database.autocommit() as tx:
            return await resealing.replace(tx, resealed)

    async def _sealed_anew(self, stored: StoredPair) -> SealedPair:
        binding = pair_binding(
            grant_id=stored.grant_id,
            user_id=stored.user_id,
            pair_generation=stored.pair_generation,
        )
        plain = await self._vault.open(stored.pair, user_salt=stored.user_salt, binding=binding)
        return await self._vault.seal(plain, user_salt=stored.user_salt, binding=binding)

    async def _retire(self) -> int:
        async with self._database.transaction() as tx:
            retired = await data_keys.retire(tx, age_seconds=RETIRE_AFTER_SECONDS)
            for generation in retired:
                await _record(tx, AuditAction.DATA_KEY_RETIRED, generation)
        return len(retired)

    async def _measure(self) -> int:
        newest = await self._newest()
        if newest is None:
            return 0
        async with self._database.autocommit() as tx:
            pairs = await resealing.count_by_generation(tx, newest=newest.key.generation)
        for generation, count in pairs.items():
            metrics.count(MetricName.PAIRS_UNDER_OLD_KEYS, count, key_generation=str(generation))
        return sum(pairs.values())


async def _guarded(step: str, work: Callable[[], Awaitable[int]]) -> int:
    try:
        return await work()
    except ServiceError as error:
        log.error("change of data keys failed", step=step, error=error)
        return 0


async def _record(tx: Transaction, action: AuditAction, generation: int) -> None:
    await audit_events.append(tx, action, details={"key_generation": generation})
    metrics.count(MetricName.DATA_KEY_CHANGES, operation=action.value.partition(":")[2])
