"""Circuits that the environments share: heard with every call, told when something is wrong.

Every statement is one round trip, a transaction of its own, and given up after
``STORE_SECONDS_MAX``: nothing here is worth waiting for.
"""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final, LiteralString
from uuid import UUID

from psycopg.types.json import Jsonb

from shared.domain.circuits import (
    CallReport,
    CircuitState,
    Dependency,
    FleetCircuit,
    FleetTerms,
    FleetView,
    ProbeReport,
    ProbeTurn,
)
from shared.state.database import Database

STORE_SECONDS_MAX: Final = 0.5

_NOTHING: Final[Mapping[Dependency, FleetCircuit]] = MappingProxyType({})

_VIEW: LiteralString = "SELECT app.now() AS checked_at, app.circuit_view() AS circuits"

_REPORT: LiteralString = """
    SELECT app.now() AS checked_at,
           app.report_calls(%(dependency)s, %(calls)s, %(failures)s, %(terms)s) AS circuits
"""

_CLAIM: LiteralString = """
    SELECT app.claim_probe(%(dependency)s, %(owner)s, %(probe_seconds)s) AS turn
"""

_END_PROBE: LiteralString = """
    SELECT app.now() AS checked_at,
           app.end_probe(%(dependency)s, %(owner)s, %(outcome)s, %(terms)s) AS circuits
"""


def view_of(circuits: Mapping[str, Mapping[str, Any]] | None, *, checked_at: datetime) -> FleetView:
    """What ``app.circuit_view()`` returned, as a value."""
    if not circuits:
        return FleetView(checked_at=checked_at, circuits=_NOTHING)
    known = {Dependency(name): _circuit(found) for name, found in circuits.items()}
    return FleetView(checked_at=checked_at, circuits=MappingProxyType(known))


def _circuit(found: Mapping[str, Any]) -> FleetCircuit:
    recovering = found["recovering_for_seconds"]
    return FleetCircuit(
        state=CircuitState(found["state"]),
        version=found["version"],
        openings=found["openings"],
        open_for_seconds=float(found["open_for_seconds"]),
        recovering_for_seconds=None if recovering is None else float(recovering),
    )


def _terms(terms: FleetTerms, asked_wait_seconds: float | None) -> Jsonb:
    """The numbers to judge by, with the rest that a dependency has asked for beside them."""
    return Jsonb({**asdict(terms), "asked_wait_seconds": asked_wait_seconds})


class StoredCircuits:
    """The fleet's circuits in Postgres.

    Every method raises ``UnavailableError`` when Postgres does not answer in time; what it was
    asked for may have happened all the same.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    async def view(self) -> FleetView:
        """All circuits that are not simply closed."""
        return await self._view(_VIEW, {})

    async def report(
        self, dependency: Dependency, report: CallReport, terms: FleetTerms
    ) -> FleetView:
        """Add what was seen; the circuits after that."""
        params = {
            "dependency": dependency.value,
            "calls": report.calls,
            "failures": report.failures,
            "terms": _terms(terms, report.asked_wait_seconds),
        }
        return await self._view(_REPORT, params)

    async def claim_probe(
        self, dependency: Dependency, owner: UUID, terms: FleetTerms
    ) -> ProbeTurn:
        """Ask to be the one who tries ``dependency``; the turn ends by itself after a while."""
        params = {
            "dependency": dependency.value,
            "owner": owner,
            "probe_seconds": terms.probe_seconds_max,
        }
        async with self._database.autocommit(timeout_seconds=STORE_SECONDS_MAX) as tx:
            found = await tx.row(_CLAIM, params)
        return ProbeTurn.TAKEN if found is None else ProbeTurn(found["turn"])

    async def end_probe(
        self, dependency: Dependency, owner: UUID, found: ProbeReport, terms: FleetTerms
    ) -> FleetView:
        """Tell what the probe of ``owner`` has found; the circuits after that."""
        params = {
            "dependency": dependency.value,
            "owner": owner,
            "outcome": found.outcome.value,
            "terms": _terms(terms, found.asked_wait_seconds),
        }
        return await self._view(_END_PROBE, params)

    async def _view(self, statement: LiteralString, params: Mapping[str, object]) -> FleetView:
        async with self._database.autocommit(timeout_seconds=STORE_SECONDS_MAX) as tx:
            found = await tx.row(statement, params) or {}
        return view_of(found.get("circuits"), checked_at=found["checked_at"])
