"""What operators see of the circuits, and what they force upon them."""

from dataclasses import dataclass
from datetime import datetime
from typing import LiteralString

from shared.domain.circuits import FORCED_STATES, CircuitState, Dependency
from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.database import Transaction

SHOWN_SECONDS = 60

_SHOW: LiteralString = """
    SELECT d.dependency, coalesce(c.state, 'closed') AS state, coalesce(c.openings, 0) AS openings,
           nullif(c.changed_at, '-infinity') AS changed_at,
           CASE WHEN c.open_until > app.now()
                THEN extract(epoch FROM c.open_until - app.now()) ELSE 0.0 END AS open_for_seconds,
           coalesce(c.probe_until > app.now(), false) AS probed,
           coalesce(k.calls, 0) AS calls, coalesce(k.failures, 0) AS failures
      FROM unnest(%(dependencies)s::text[]) AS d (dependency)
      LEFT JOIN app.circuits c USING (dependency)
      LEFT JOIN (SELECT dependency, sum(calls) AS calls, sum(failures) AS failures
                   FROM app.circuit_calls
                  WHERE second > extract(epoch FROM app.now()) - %(seconds)s
                  GROUP BY dependency) k USING (dependency)
     ORDER BY d.dependency
"""

_SET: LiteralString = """
    INSERT INTO app.circuits AS c (dependency, state, version, changed_at)
    VALUES (%(dependency)s, %(state)s, 1, app.now())
    ON CONFLICT (dependency) DO UPDATE
       SET state = EXCLUDED.state, version = c.version + 1, openings = 0,
           changed_at = EXCLUDED.changed_at, open_until = '-infinity', probe_owner = NULL,
           probe_until = '-infinity'
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class ShownCircuit:
    """One circuit as the fleet has it, and the calls reported in the last minute (estimated)."""

    dependency: Dependency
    state: CircuitState
    openings: int
    changed_at: datetime | None
    open_for_seconds: float
    probed: bool
    """Whether an environment is trying the dependency at this moment."""
    calls: int
    failures: int


async def show(tx: Transaction) -> list[ShownCircuit]:
    """Every circuit."""
    found = await tx.rows(
        _SHOW, {"dependencies": [one.value for one in Dependency], "seconds": SHOWN_SECONDS}
    )
    return [
        ShownCircuit(
            dependency=Dependency(row["dependency"]),
            state=CircuitState(row["state"]),
            openings=row["openings"],
            changed_at=row["changed_at"],
            open_for_seconds=float(row["open_for_seconds"]),
            probed=row["probed"],
            calls=int(row["calls"]),
            failures=int(row["failures"]),
        )
        for row in found
    ]


async def force(tx: Transaction, dependency: Dependency, state: CircuitState) -> None:
    """Keep a circuit open, or out of the way, until ``reset``.

    Raises:
        ValueError: not a state for operators, or Postgres forced open, where it could not be
            read any more that this is over.
    """
    if state not in FORCED_STATES:
        raise ValueError(f"{state.value} is not for operators")
    if dependency is Dependency.POSTGRES and state is CircuitState.FORCED_OPEN:
        raise ValueError("the circuit of postgres cannot be forced open from within postgres")
    await tx.execute(_SET, {"dependency": dependency.value, "state": state.value})
    await audit_events.append(
        tx,
        AuditAction.CIRCUIT_FORCED,
        details={"dependency": dependency.value, "state": state.value},
    )


async def reset(tx: Transaction, dependency: Dependency) -> None:
    """Close a circuit, forced or not; calls come back step by step."""
    await tx.execute(_SET, {"dependency": dependency.value, "state": CircuitState.CLOSED.value})
    await audit_events.append(
        tx, AuditAction.CIRCUIT_RESET, details={"dependency": dependency.value}
    )
