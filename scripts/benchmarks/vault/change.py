"""A new data key and a new KMS key for a crowd, while people call, interrupted twice."""

import asyncio
import time
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Final

import psycopg

from functions.cleanup.key_rotation import MOVE_BATCH_MAX, KeyRotation
from scripts.benchmarks.samples import Tail, tail
from scripts.benchmarks.vault.crowd import STAGE, Environment, environment, kms_of
from shared.domain.identifiers import GrantId
from shared.errors.base import ServiceError
from shared.state.database import Database
from shared.vault.data_key_changes import DataKeyChanges

INTERRUPTIONS: Final = 2
_GENERATION_DAYS: Final = 30
_RUNS_MAX: Final = 1_000
# Instead of waiting for a month.
_AGE: Final = "UPDATE app.data_keys SET created_at = created_at - interval '31 days'"
_STATE: Final = """
    SELECT count(*) FILTER (WHERE g.key_generation < k.newest),
           (SELECT count(DISTINCT kms_key_id) FROM app.data_keys)
      FROM app.grants g, (SELECT max(generation) AS newest FROM app.data_keys) AS k
"""


class _InterruptedError(Exception):
    """The process ends here, as a function does at its timeout."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """What became of the change, and of the calls meanwhile."""

    pairs: int
    interruptions: int
    runs: int
    seconds: float
    pairs_per_second: float
    left_on_old_key: int
    kms_keys_in_use: int
    calls_meanwhile: int
    calls_failed: int
    call_ms: Tail


@dataclass(slots=True)
class _Calls:
    milliseconds: list[float] = field(default_factory=list)
    failed: int = 0
    over: asyncio.Event = field(default_factory=asyncio.Event)


async def measure(
    conninfo: str, *, kms_key_id: str, new_kms_key_id: str, grant_ids: Sequence[GrantId]
) -> Change:
    """Change both keys; the calls go on until the change is complete."""
    with psycopg.connect(conninfo, autocommit=True) as connection:
        connection.execute(_AGE)
    async with AsyncExitStack() as stack:
        caller = environment(stack, _database(stack, conninfo), kms_of(kms_key_id))
        worker = environment(stack, _database(stack, conninfo), kms_of(new_kms_key_id))
        calls = _Calls()
        calling = asyncio.create_task(_keep_calling(caller, grant_ids, calls))
        started = time.perf_counter()
        runs = await _change(worker, new_kms_key_id, conninfo)
        seconds = time.perf_counter() - started
        calls.over.set()
        await calling
    left, kms_keys = _state(conninfo)
    return Change(
        pairs=len(grant_ids),
        interruptions=INTERRUPTIONS,
        runs=runs,
        seconds=seconds,
        pairs_per_second=len(grant_ids) / seconds,
        left_on_old_key=left,
        kms_keys_in_use=kms_keys,
        calls_meanwhile=len(calls.milliseconds) + calls.failed,
        calls_failed=calls.failed,
        call_ms=tail(calls.milliseconds),
    )


def _database(stack: AsyncExitStack, conninfo: str) -> Database:
    database = Database(conninfo)
    stack.push_async_callback(database.close)
    return database


async def _change(worker: Environment, kms_key_id: str, conninfo: str) -> int:
    """Runs of the rotation until nothing is left; the first ones are cut off in the middle."""
    for number in range(1, _RUNS_MAX + 1):
        cut_off = number <= INTERRUPTIONS
        rotation = KeyRotation(
            worker.database,
            worker.vault,
            DataKeyChanges(kms_of(kms_key_id), stage=STAGE),
            generation_days=_GENERATION_DAYS,
            move_after_seconds=0,
            seconds_left=_dying() if cut_off else lambda: 100.0,
        )
        try:
            await rotation.run()
        except _InterruptedError:
            worker.vault.forget_keys()
        if not cut_off and _state(conninfo)[0] == 0:
            return number
    raise RuntimeError("the change of keys came to no end")


def _dying() -> Callable[[], float]:
    """Time for one batch; then the process is no more."""
    asked = [0]

    def seconds_left() -> float:
        asked[0] += 1
        if asked[0] > 1:
            raise _InterruptedError
        return 100.0

    return seconds_left


async def _keep_calling(caller: Environment, grant_ids: Sequence[GrantId], calls: _Calls) -> None:
    number = 0
    while not calls.over.is_set():
        started = time.perf_counter()
        try:
            await caller.call(grant_ids[number % len(grant_ids)])
        except ServiceError:
            calls.failed += 1
        else:
            calls.milliseconds.append((time.perf_counter() - started) * 1000)
        number += MOVE_BATCH_MAX - 1  # all over the crowd, not in the order of the batches


def _state(conninfo: str) -> tuple[int, int]:
    with psycopg.connect(conninfo, autocommit=True) as connection:
        row = connection.execute(_STATE).fetchone()
    if row is None:
        raise LookupError("a count returned no row")
    left, kms_keys = row
    return left, kms_keys
