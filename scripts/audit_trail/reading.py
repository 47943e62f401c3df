"""Reads the trail from the database, in pieces; needs a connection that may select from it.

That is the owner's: the functions' roles may not read what they have appended.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from scripts.audit_trail.verification import ChainEnds
from shared.domain.audit_chains import ChainedEvent, ChainPlace

BATCH_ROWS: Final = 2_000

_COLUMNS: Final[LiteralString] = """
    SELECT hash_version, chain, sequence, previous_hash, hash, event_id, occurred_at, action,
           user_id, grant_id, session_id, client_id, details::text AS details
      FROM app.audit_events
"""
_ENDS: Final[LiteralString] = """
    SELECT chain, sequence, hash, floor_sequence, floor_hash FROM app.audit_chains ORDER BY chain
"""
_CONDITIONS: Final[Mapping[str, LiteralString]] = {
    "action": "action = %(action)s",
    "person": "user_id = %(person)s",
    "grant": "grant_id = %(grant)s",
    "client": "client_id = %(client)s",
    "since": "occurred_at >= %(since)s",
    "until": "occurred_at < %(until)s",
}


class TrailReader:
    """One view of the trail: heads and events of the same moment."""

    def __init__(self, conninfo: str) -> None:
        self._connection = psycopg.connect(conninfo, row_factory=dict_row)
        self._connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        self._connection.read_only = True

    def close(self) -> None:
        """Let go of the view."""
        self._connection.close()

    def ends(self) -> dict[int, ChainEnds]:
        """Between which places each chain lies, as the database says."""
        return {
            row["chain"]: ChainEnds(
                ChainPlace(row["chain"], row["floor_sequence"], bytes(row["floor_hash"])),
                ChainPlace(row["chain"], row["sequence"], bytes(row["hash"])),
            )
            for row in self._connection.execute(_ENDS)
        }

    def by_chain(self) -> Iterator[ChainedEvent]:
        """All events, by chain and sequence."""
        return self._events("", {}, "ORDER BY chain, sequence, occurred_at")

    def matching(self, wanted: Mapping[str, object]) -> Iterator[ChainedEvent]:
        """The events for which all that is ``wanted`` holds, by time."""
        conditions = [_CONDITIONS[name] for name in wanted]
        where: LiteralString = "WHERE " + " AND ".join(conditions) if conditions else ""
        return self._events(where, wanted, "ORDER BY occurred_at, chain, sequence")

    def _events(
        self, where: LiteralString, wanted: Mapping[str, object], order: LiteralString
    ) -> Iterator[ChainedEvent]:
        with self._connection.cursor("trail") as cursor:
            cursor.itersize = BATCH_ROWS
            cursor.execute(sql.SQL(_COLUMNS + where + " " + order), wanted)
            for row in cursor:
                yield _event(row)


def _event(row: Mapping[str, Any]) -> ChainedEvent:
    binary = {name: bytes(row[name]) for name in ("previous_hash", "hash")}
    return ChainedEvent(**{**row, **binary})
