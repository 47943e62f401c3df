"""All that ``bench vault`` finds out, and how much of it a quick run does."""

import asyncio
import contextlib
import os
import statistics
import time
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import boto3

from scripts.benchmarks.refresh.world import running_world
from scripts.benchmarks.tables import number, table
from scripts.benchmarks.vault import asked, change
from scripts.benchmarks.vault.asked import Asked
from scripts.benchmarks.vault.change import Change
from scripts.benchmarks.vault.crowd import environment, kms_of, pair_of, settle
from shared.observability import metrics
from shared.state.database import Database
from shared.vault import envelope
from shared.vault.envelope import SealBinding
from shared.vault.pair_codec import encode_pair


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    people: int
    grants_each: int
    calls: int
    seals: int


WHOLE: Final = Extent(people=1_000, grants_each=10, calls=1_000, seals=5_000)
QUICK: Final = Extent(people=60, grants_each=25, calls=60, seals=100)


@dataclass(frozen=True, kw_only=True)
class VaultReport:
    """Everything that was found out."""

    derive_and_seal_us: float
    derive_and_open_us: float
    asked: Asked
    change: Change

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"vault": asdict(self)}


def measure(extent: Extent) -> VaultReport:
    """Measure all of it, one thing after the other.

    Metrics go to standard output, where the figures are to stand alone.
    """
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        report = _measure(extent)
        metrics.flush()
    return report


def _measure(extent: Extent) -> VaultReport:
    seal_us, open_us = _cryptography(extent.seals)
    with running_world() as world:
        new_key = boto3.client("kms").create_key(Description="measured, new")
        found = asyncio.run(
            _with_crowd(
                world.new_database(),
                extent,
                kms_key_id=world.kms_key_id,
                new_kms_key_id=new_key["KeyMetadata"]["KeyId"],
            )
        )
    return VaultReport(
        derive_and_seal_us=seal_us, derive_and_open_us=open_us, asked=found[0], change=found[1]
    )


async def _with_crowd(
    conninfo: str, extent: Extent, *, kms_key_id: str, new_kms_key_id: str
) -> tuple[Asked, Change]:
    async with AsyncExitStack() as stack:
        database = Database(conninfo)
        stack.push_async_callback(database.close)
        first = environment(stack, database, kms_of(kms_key_id))
        grant_ids = await settle(first, people=extent.people, grants_each=extent.grants_each)
        calls = await asked.measure(
            database, kms_key_id, grant_ids[:: extent.grants_each], calls=extent.calls
        )
        changed = await change.measure(
            conninfo, kms_key_id=kms_key_id, new_kms_key_id=new_kms_key_id, grant_ids=grant_ids
        )
    return calls, changed


def _cryptography(times: int) -> tuple[float, float]:
    """Median microseconds to derive a person's key and seal a pair, and to open it."""
    plain = encode_pair(pair_of(1))
    binding = SealBinding(
        table="grants",
        row_id=UUID(int=1),
        user_id=UUID(int=2),
        column="pair_ciphertext",
        generation=1,
    )
    sealing, opening = [], []
    for _ in range(times):
        began = time.perf_counter()
        sealed = envelope.seal(plain, key=_key(), binding=binding)
        between = time.perf_counter()
        envelope.unseal(sealed, key=_key(), binding=binding)
        sealing.append((between - began) * 1e6)
        opening.append((time.perf_counter() - between) * 1e6)
    return statistics.median(sealing), statistics.median(opening)


def _key() -> envelope.SealingKey:
    return envelope.person_key(
        bytes(range(32)), stage="local", key_generation=1, user_salt=bytes(range(32))
    )


def vault_report(report: VaultReport) -> str:
    """Costs, questions to KMS, and the change of keys."""
    seal, unseal = report.derive_and_seal_us, report.derive_and_open_us
    return "\n\n".join(
        [
            f"Key and pair of a person: sealed in {seal:.0f} microseconds, opened in {unseal:.0f}.",
            *_asked(report.asked),
            *_changed(report.change),
        ]
    )


def _asked(calls: Asked) -> list[str]:
    crowd = f"{calls.calls:,} calls of {calls.people:,} people in {calls.minutes} minutes"
    ours, theirs = calls.per_thousand_calls, calls.key_per_person_per_thousand_calls
    opened = calls.open_ms
    return [
        f"{crowd}, over {calls.environments} environments that have just started:",
        table(
            ("data keys", "KMS calls per 1,000 calls"),
            [
                ("one for the stage (ours)", number(ours)),
                ("one for each person, the same calls", number(theirs)),
            ],
        ),
        f"Reading and opening, milliseconds: p50 {opened.median:.1f}, p99 {opened.p99:.1f}.",
    ]


def _changed(changed: Change) -> list[str]:
    crowd = f"{changed.pairs:,} pairs while people call"
    return [
        f"New data key and new KMS key for {crowd}, interrupted {changed.interruptions} times:",
        table(
            ("", "figure"),
            [
                ("runs of the cleanup", number(changed.runs)),
                ("seconds in all", number(changed.seconds, digits=1)),
                ("pairs a second", number(changed.pairs_per_second)),
                ("pairs left on the old data key", number(changed.left_on_old_key)),
                ("KMS keys in use afterwards", number(changed.kms_keys_in_use)),
                ("calls meanwhile", number(changed.calls_meanwhile)),
                ("calls failed", number(changed.calls_failed)),
                ("call p50, milliseconds", number(changed.call_ms.median, digits=1)),
                ("call p99, milliseconds", number(changed.call_ms.p99, digits=1)),
            ],
        ),
    ]
