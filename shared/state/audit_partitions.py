"""Months of the audit trail: made ahead, read when they are to be archived, dropped afterwards.

The database decides what is over its time and whether all of it is archived; nothing here reads
an event that is not.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, LiteralString

from shared.domain.audit_chains import ChainedEvent, ChainPlace
from shared.state.database import Transaction

MONTHS_AHEAD: Final = 3
MONTHS_KEPT: Final = 13
"""Whole months before the running one; the database keeps no fewer, whatever it is asked."""

_MAKE: LiteralString = "SELECT app.make_audit_partitions(%(months_ahead)s) AS made"
_STRAYS: LiteralString = "SELECT app.count_audit_strays() AS strays"
_HEADS: LiteralString = """
    SELECT chain, sequence, hash, to_char(app.now() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24') AS hour
      FROM app.audit_heads()
"""
_NEXT: LiteralString = "SELECT * FROM app.next_audit_part(%(months_kept)s, %(events_max)s)"
_NOTE: LiteralString = """
    SELECT app.note_audit_part(%(month)s, %(chain)s::smallint, %(first)s, %(last)s, %(events)s,
                               %(object_key)s, %(sha256)s)
"""
_DROP: LiteralString = "SELECT app.drop_audit_month(%(months_kept)s) AS month"


@dataclass(frozen=True, slots=True)
class ExpiredPart:
    """Consecutive events of one chain, of a month that is over its time; never none."""

    month: date
    events: tuple[ChainedEvent, ...]


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest place of every chain at an ``hour`` such as ``2026-11-25T03`` (UTC)."""

    hour: str
    places: tuple[ChainPlace, ...]


async def make_ahead(tx: Transaction) -> int:
    """Make the partitions that the next months need; how many were missing."""
    return int(await _value(tx, _MAKE, "made", months_ahead=MONTHS_AHEAD))


async def count_strays(tx: Transaction) -> int:
    """Events for whose month no partition was there in time."""
    return int(await _value(tx, _STRAYS, "strays"))


async def heads(tx: Transaction) -> Heads:
    """Where every chain ends now."""
    found = await tx.rows(_HEADS)
    places = (ChainPlace(row["chain"], row["sequence"], bytes(row["hash"])) for row in found)
    return Heads(found[0]["hour"] if found else "", tuple(places))


async def next_part(tx: Transaction, *, events_max: int) -> ExpiredPart | None:
    """What is to be archived next, or None when nothing is."""
    found = await tx.rows(_NEXT, {"months_kept": MONTHS_KEPT, "events_max": events_max})
    if not found:
        return None
    month = found[0]["month"]
    return ExpiredPart(month, tuple(_event(row) for row in found))


async def note_part(tx: Transaction, part: ExpiredPart, *, object_key: str, sha256: bytes) -> None:
    """Note that ``part`` stands in the archive."""
    first, last = part.events[0], part.events[-1]
    await tx.execute(
        _NOTE,
        {
            "month": part.month,
            "chain": first.chain,
            "first": first.sequence,
            "last": last.sequence,
            "events": len(part.events),
            "object_key": object_key,
            "sha256": sha256,
        },
    )


async def drop_archived(tx: Transaction) -> date | None:
    """Drop the oldest month if it is over its time and archived as a whole; the month."""
    dropped: date | None = await _value(tx, _DROP, "month", months_kept=MONTHS_KEPT)
    return dropped


async def _value(tx: Transaction, sql: LiteralString, name: str, **params: object) -> Any:
    row = await tx.row(sql, params)
    return None if row is None else row[name]


def _event(row: dict[str, Any]) -> ChainedEvent:
    fields = {name: value for name, value in row.items() if name != "month"}
    binary = {name: bytes(row[name]) for name in ("previous_hash", "hash")}
    return ChainedEvent(**{**fields, **binary})
