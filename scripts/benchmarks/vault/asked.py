"""How often KMS is asked by a thousand calls of a thousand people, spread over environments."""

import random
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from scripts.benchmarks.samples import Tail, tail
from scripts.benchmarks.vault.crowd import CACHE_SECONDS, Environment, environment, kms_of
from shared.domain.identifiers import GrantId
from shared.state.database import Database

ENVIRONMENTS: Final = 20
MINUTES: Final = 15
"""The calls are spread over so much simulated time; an opened key serves for five minutes."""
_SEED: Final = 1


@dataclass(frozen=True, kw_only=True)
class Asked:
    """What a crowd's calls ask of KMS."""

    calls: int
    people: int
    environments: int
    minutes: int
    kms_calls: int
    per_thousand_calls: float
    key_per_person_per_thousand_calls: float
    """For comparison: the very same calls if each person had a data key of their own."""
    open_ms: Tail
    """Reading the row and opening its pair, the calls that waited for KMS included."""


async def measure(
    database: Database, kms_key_id: str, grant_ids: Sequence[GrantId], *, calls: int
) -> Asked:
    """Call for one person after the other, each time in an environment drawn by lot."""
    lots = random.Random(_SEED)  # noqa: S311 - the same calls in every run
    taken: list[float] = []
    own_keys: dict[tuple[int, GrantId], float] = {}
    own_keys_asked = 0
    async with AsyncExitStack() as stack:
        environments = [
            environment(stack, database, kms_of(kms_key_id)) for _ in range(ENVIRONMENTS)
        ]
        for number in range(calls):
            now = number * MINUTES * 60 / calls
            grant_id = grant_ids[number % len(grant_ids)]
            place = lots.randrange(ENVIRONMENTS)
            taken.append(await _timed(environments[place], grant_id, now))
            opened_at = own_keys.get((place, grant_id))
            if opened_at is None or now >= opened_at + CACHE_SECONDS:
                own_keys[place, grant_id] = now
                own_keys_asked += 1
        asked = sum(one.kms.asked for one in environments)
    return Asked(
        calls=calls,
        people=len(grant_ids),
        environments=ENVIRONMENTS,
        minutes=MINUTES,
        kms_calls=asked,
        per_thousand_calls=1_000 * asked / calls,
        key_per_person_per_thousand_calls=1_000 * own_keys_asked / calls,
        open_ms=tail(taken),
    )


async def _timed(one: Environment, grant_id: GrantId, now: float) -> float:
    one.moved_seconds[0] = now
    started = time.perf_counter()
    await one.call(grant_id)
    return (time.perf_counter() - started) * 1000
