"""How many changes of a day have their audit event, and how much usage its grant; reads none."""

from dataclasses import dataclass
from typing import LiteralString

from psycopg.types.json import Jsonb

from shared.domain.tool_permissions import TOOL_SCOPES
from shared.state.database import Transaction

WINDOW_SECONDS = 86_400.0
LAG_SECONDS = 300.0
"""The last minutes are left to the next look: a transaction of theirs may still be open."""

_COVERAGE: LiteralString = """
    SELECT action, changes, missing
      FROM app.audit_coverage(%(window_seconds)s, %(lag_seconds)s) ORDER BY action
"""

_BYPASSES: LiteralString = """
    SELECT calls, without_grant, without_permission
      FROM app.usage_bypasses(%(window_seconds)s, %(lag_seconds)s, %(permissions)s)
"""

_HOUR: LiteralString = """
    SELECT extract(hour FROM app.now() AT TIME ZONE 'UTC')::integer AS hour,
           extract(minute FROM app.now())::integer AS minute
"""


@dataclass(frozen=True, slots=True)
class Coverage:
    """Changes of one kind, and those of them without their event."""

    action: str
    changes: int
    missing: int


@dataclass(frozen=True, slots=True)
class ServedCalls:
    """Calls that were served, and those of them that nothing in the rows allowed."""

    calls: int
    without_grant: int
    without_permission: int


async def served_in_a_day(tx: Transaction) -> ServedCalls:
    """The calls of the same day, held against grants and scopes."""
    permissions = {tool: scope.value for tool, scope in TOOL_SCOPES.items()}
    found = await tx.row(
        _BYPASSES,
        {
            "window_seconds": WINDOW_SECONDS,
            "lag_seconds": LAG_SECONDS,
            "permissions": Jsonb(permissions),
        },
    )
    return ServedCalls(0, 0, 0) if found is None else ServedCalls(**found)


async def of_a_day(tx: Transaction) -> list[Coverage]:
    """The coverage of the day that ended ``LAG_SECONDS`` ago, by kind of change."""
    found = await tx.rows(_COVERAGE, {"window_seconds": WINDOW_SECONDS, "lag_seconds": LAG_SECONDS})
    return [Coverage(one["action"], one["changes"], one["missing"]) for one in found]


async def time_of_day(tx: Transaction) -> tuple[int, int]:
    """Hour and minute (UTC) by the database's clock."""
    found = await tx.row(_HOUR)
    return (0, 0) if found is None else (found["hour"], found["minute"])
