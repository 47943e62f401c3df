"""Audit events as links of hash chains: what is hashed, and how an event is written to a file.

The database links them (migration 0026); this is the same rule for whoever checks it, so that a
check need not trust the database. Pure: nothing is read or written here.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import UUID

CHAINS: Final = 32
GENESIS_HASH: Final = bytes(32)
"""Stands before the first event of a chain."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_IDS: Final = ("user_id", "grant_id", "session_id")


@dataclass(frozen=True, slots=True)
class ChainPlace:
    """A place in a chain, and the hash of the event there; sequence 0 is before the first."""

    chain: int
    sequence: int
    hash: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainedEvent:
    """An audit event with its links; ``details`` is the text that was hashed."""

    hash_version: int
    chain: int
    sequence: int
    previous_hash: bytes
    hash: bytes
    event_id: UUID
    occurred_at: datetime
    action: str
    user_id: UUID | None
    grant_id: UUID | None
    session_id: UUID | None
    client_id: str | None
    details: str

    @property
    def place(self) -> ChainPlace:
        """Where it stands."""
        return ChainPlace(self.chain, self.sequence, self.hash)

    @property
    def intact(self) -> bool:
        """Whether its hash is the hash of what it says."""
        return self.hash_version == 1 and computed_hash(self) == self.hash


def computed_hash(event: ChainedEvent) -> bytes:
    """SHA-256 of the canonical form, version 1: every field as ``length:bytes``, missing as ``-``.

    As ``app.audit_hash`` computes it.
    """
    fields = (
        str(event.hash_version),
        str(event.chain),
        str(event.sequence),
        event.previous_hash.hex(),
        str(event.event_id),
        str((event.occurred_at - _EPOCH) // _MICROSECOND),
        event.action,
        *(None if value is None else str(value) for value in _ids(event)),
        event.client_id,
        event.details,
    )
    return hashlib.sha256(b",".join(_measured(field) for field in fields)).digest()


def _ids(event: ChainedEvent) -> tuple[UUID | None, ...]:
    return event.user_id, event.grant_id, event.session_id


def _measured(field: str | None) -> bytes:
    if field is None:
        return b"-"
    data = field.encode()
    return b"%d:%b" % (len(data), data)


def as_line(event: ChainedEvent) -> str:
    """The event as one line of JSON, from which ``from_line`` gets all of it back."""
    return json.dumps(
        {
            "hash_version": event.hash_version,
            "chain": event.chain,
            "sequence": event.sequence,
            "previous_hash": event.previous_hash.hex(),
            "hash": event.hash.hex(),
            "event_id": str(event.event_id),
            "occurred_at": event.occurred_at.astimezone(UTC).isoformat(timespec="microseconds"),
            "action": event.action,
            **{name: value and str(value) for name, value in zip(_IDS, _ids(event), strict=True)},
            "client_id": event.client_id,
            "details": event.details,
        },
        ensure_ascii=False,
        separators=(",", ":"),
    )


def from_line(line: str) -> ChainedEvent:
    """The event of one line.

    Raises:
        ValueError: the line is none of ``as_line``.
    """
    try:
        found: Mapping[str, Any] = json.loads(line)
        ids = {name: None if found[name] is None else UUID(found[name]) for name in _IDS}
        return ChainedEvent(
            hash_version=int(found["hash_version"]),
            chain=int(found["chain"]),
            sequence=int(found["sequence"]),
            previous_hash=bytes.fromhex(found["previous_hash"]),
            hash=bytes.fromhex(found["hash"]),
            event_id=UUID(found["event_id"]),
            occurred_at=datetime.fromisoformat(found["occurred_at"]),
            action=found["action"],
            client_id=found["client_id"],
            details=found["details"],
            **ids,
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not an audit event: {type(error).__name__}") from None
