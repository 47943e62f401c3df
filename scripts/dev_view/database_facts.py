"""What only Postgres knows: the fleet's circuits, the newest audit events, how many live sessions.

Read only, and given up soon: the page has to be there above all when Postgres is not.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final, LiteralString

import psycopg
from psycopg.rows import dict_row

from shared.domain.circuits import Dependency
from shared.observability.redaction import redact

READ_SECONDS_MAX: Final = 2.0
AUDIT_EVENTS_SHOWN: Final = 20

_CIRCUITS: LiteralString = """
    SELECT dependency, state, openings, app.now() AS now,
           CASE WHEN isfinite(changed_at) THEN changed_at END AS changed_at,
           greatest(0, extract(epoch FROM open_until - app.now())) AS open_for_seconds
      FROM app.circuits
"""
_AUDIT: LiteralString = """
    SELECT occurred_at, action, client_id, details
      FROM app.audit_events ORDER BY occurred_at DESC LIMIT %s
"""
_LIVE: LiteralString = """
    SELECT (SELECT count(*) FROM app.sessions WHERE ended_at IS NULL) AS sessions,
           (SELECT count(*) FROM app.grants WHERE status = 'active') AS grants
"""


@dataclass(frozen=True, slots=True)
class Circuit:
    """One circuit as the fleet has it."""

    dependency: str
    state: str = "closed"
    openings: int = 0
    changed_at: datetime | None = None
    open_for_seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """One event of the trail, without the people in it."""

    at: datetime
    action: str
    client: str
    details: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What was read; ``unavailable`` says why nothing was."""

    circuits: list[Circuit] = field(default_factory=list)
    audit: list[AuditEvent] = field(default_factory=list)
    sessions: int | None = None
    grants: int | None = None
    unavailable: str | None = None


class DatabaseFacts:
    """Reads from one database."""

    def __init__(self, conninfo: str) -> None:
        self._conninfo = conninfo

    async def read(self) -> Facts:
        """What there is now; never raises for a database that is away."""
        try:
            async with asyncio.timeout(READ_SECONDS_MAX):
                return await self._read()
        except (psycopg.Error, OSError, TimeoutError) as error:
            return Facts(unavailable=type(error).__name__)

    async def _read(self) -> Facts:
        connecting = psycopg.AsyncConnection[dict[str, Any]].connect(
            self._conninfo, autocommit=True, row_factory=dict_row
        )
        async with await connecting as connection:
            circuits = await (await connection.execute(_CIRCUITS)).fetchall()
            audit = await (await connection.execute(_AUDIT, [AUDIT_EVENTS_SHOWN])).fetchall()
            live = await (await connection.execute(_LIVE)).fetchone() or {}
        return Facts(_circuits(circuits), [_event(row) for row in audit], **live)


def _circuits(rows: list[dict[str, Any]]) -> list[Circuit]:
    by_name = {row["dependency"]: row for row in rows}
    return [_circuit(one.value, by_name.get(one.value, {})) for one in Dependency]


def _circuit(dependency: str, row: Mapping[str, Any]) -> Circuit:
    if not row:
        return Circuit(dependency)
    return Circuit(
        dependency,
        row["state"],
        row["openings"],
        row["changed_at"],
        float(row["open_for_seconds"]),
    )


def _event(row: Mapping[str, Any]) -> AuditEvent:
    clean = redact(dict(row["details"]))
    facts = clean.items() if isinstance(clean, dict) else ()
    details = ", ".join(f"{name} {value}" for name, value in facts if value is not None)
    client = redact({"client": row["client_id"] or ""})
    named = str(client["client"]) if isinstance(client, dict) else ""
    return AuditEvent(row["occurred_at"], row["action"], named, details)
