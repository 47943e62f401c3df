"""Months of the audit trail: made ahead, archived when their time is over, then dropped.

Heads of the chains go to the archive every hour, so that a chain computed anew is found out. A
month is never dropped before every row of it is in the archive, and never without an archive.
"""

import gzip
import json
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

from shared.domain.audit_chains import as_line
from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.state import audit_coverage, audit_partitions
from shared.state.audit_partitions import ExpiredPart, Heads
from shared.state.database import Database, Transaction

PART_EVENTS_MAX: Final = 5_000
PARTS_MAX: Final = 200
PART_SECONDS_MAX: Final = 30.0
"""Left of the invocation when a part begins: its statement, its upload, its note."""
TICK_MINUTES: Final = 5
"""The schedule's pace: of its ticks one falls into the first minutes of an hour."""


class Archive(Protocol):
    """Where objects stay."""

    async def put(self, key: str, body: bytes, *, content_type: str) -> bytes:
        """Add an object; its SHA-256."""


class AuditArchive:
    """What one run of the cleanup does for the months of the audit trail."""

    def __init__(
        self,
        database: Database,
        archive: Archive | None,
        *,
        seconds_left: Callable[[], float],
        time_of_day: Callable[
            [Transaction], Awaitable[tuple[int, int]]
        ] = audit_coverage.time_of_day,
        part_events_max: int = PART_EVENTS_MAX,
    ) -> None:
        self._database = database
        self._archive = archive
        self._seconds_left = seconds_left
        self._time_of_day = time_of_day
        self._part_events_max = part_events_max

    async def run(self) -> dict[str, int]:
        """Do what is due; how many partitions, heads and events each step concerned."""
        done = {"audit_months_made": await self._make_ahead()}
        if self._archive is None:
            return done
        try:
            done["audit_heads_archived"] = await self._archive_heads(self._archive)
            done["audit_events_archived"] = await self._archive_parts(self._archive)
            done["audit_months_dropped"] = await self._drop()
        except ServiceError as error:
            metrics.count(MetricName.AUDIT_ARCHIVINGS, outcome="failed")
            log.error("audit trail not archived", error=error)
            return done
        metrics.count(MetricName.AUDIT_ARCHIVINGS, outcome="ok")
        return done

    async def _make_ahead(self) -> int:
        async with self._database.autocommit() as tx:
            made = await audit_partitions.make_ahead(tx)
            strays = await audit_partitions.count_strays(tx)
        metrics.count(MetricName.AUDIT_STRAYS, strays)
        return made

    async def _archive_heads(self, archive: Archive) -> int:
        async with self._database.autocommit() as tx:
            _, minute = await self._time_of_day(tx)
            if minute >= TICK_MINUTES:
                return 0
            heads = await audit_partitions.heads(tx)
        await archive.put(
            f"heads/{heads.hour}.json", _heads_body(heads), content_type="application/json"
        )
        return len(heads.places)

    async def _archive_parts(self, archive: Archive) -> int:
        archived = 0
        for _ in range(PARTS_MAX):
            if self._seconds_left() <= PART_SECONDS_MAX:
                break
            async with self._database.autocommit() as tx:
                part = await audit_partitions.next_part(tx, events_max=self._part_events_max)
            if part is None:
                break
            key = _part_key(part)
            sha256 = await archive.put(key, _part_body(part), content_type="application/gzip")
            async with self._database.autocommit() as tx:
                await audit_partitions.note_part(tx, part, object_key=key, sha256=sha256)
            archived += len(part.events)
        return archived

    async def _drop(self) -> int:
        async with self._database.autocommit() as tx:
            month = await audit_partitions.drop_archived(tx)
        if month is None:
            return 0
        log.info("month of the audit trail dropped", month=month.isoformat())
        return 1


def _heads_body(heads: Heads) -> bytes:
    places = [
        {"chain": place.chain, "sequence": place.sequence, "hash": place.hash.hex()}
        for place in heads.places
    ]
    return json.dumps({"hour": heads.hour, "heads": places}).encode()


def _part_key(part: ExpiredPart) -> str:
    first = part.events[0]
    month = part.month.isoformat()[:7]
    return f"events/{month}/chain-{first.chain:02}/{first.sequence:012}.jsonl.gz"


def _part_body(part: ExpiredPart) -> bytes:
    """The same bytes for the same events: a part that is archived again is the same object."""
    lines = "".join(as_line(event) + "\n" for event in part.events)
    return gzip.compress(lines.encode(), mtime=0)
