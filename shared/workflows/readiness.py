"""``/health/ready``: how our dependencies are, found out seldom and cheaply, told to everybody.

Never asks a dependency more often than once in ``REPORT_SECONDS``, however many ask here, and
never one that the fleet's circuit has given up on.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Final, Protocol

from shared.domain.circuits import CircuitState, Dependency, FleetView
from shared.domain.health import (
    RETRY_AFTER_SECONDS,
    DependencyHealth,
    DependencyState,
    HealthReport,
)
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import as_service_error
from shared.observability import metrics

REPORT_SECONDS: Final = float(RETRY_AFTER_SECONDS)
LOOK_SECONDS_MAX: Final = 1.0

Look = Callable[[], Awaitable[float | None]]
"""Looks at a dependency: the milliseconds it took, or None where nothing is known of late.

Raises a ServiceError when it is away.
"""

_GIVEN_UP: Final = {CircuitState.OPEN, CircuitState.HALF_OPEN, CircuitState.FORCED_OPEN}


OwnCircuit = Callable[[Dependency], CircuitState]
"""This environment's own circuit; some are not shared, and the fleet's view may be away."""


async def not_looked_at() -> None:
    """For what only calls can tell: nothing is known of it but its circuit."""


def _always_closed(_: Dependency) -> CircuitState:
    return CircuitState.CLOSED


class CircuitViews(Protocol):
    """The fleet's circuits; reading them is the sign of life of Postgres."""

    async def view(self) -> FleetView:
        """All circuits that are not simply closed."""
        ...


@dataclass(frozen=True, slots=True)
class _Failure:
    code: ErrorCode
    at_monotonic: float


class ReadinessCheck:
    """The report of one environment."""

    def __init__(
        self,
        circuits: CircuitViews,
        looks: Mapping[Dependency, Look],
        *,
        own_circuit: OwnCircuit = _always_closed,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._circuits = circuits
        self._own_circuit = own_circuit
        self._looks = looks
        self._clock = clock
        self._failures: dict[Dependency, _Failure] = {}
        self._found: tuple[HealthReport, float] | None = None
        self._one_at_a_time = asyncio.Lock()

    async def report(self) -> HealthReport:
        """What was found out last."""
        async with self._one_at_a_time:
            if self._found is None or self._clock() - self._found[1] >= REPORT_SECONDS:
                self._found = (await self._look_around(), self._clock())
            report, found_at = self._found
            return replace(report, age_seconds=self._clock() - found_at)

    def forget(self) -> None:
        """Know nothing: after a restore the dependencies are seen by another environment."""
        self._found = None
        self._failures.clear()

    async def _look_around(self) -> HealthReport:
        view: FleetView | None = None

        async def look_at_postgres() -> float:
            nonlocal view
            started = self._clock()
            view = await self._circuits.view()
            return (self._clock() - started) * 1000

        postgres = await self._looked_at(Dependency.POSTGRES, look_at_postgres, view=None)
        others = await asyncio.gather(
            *(self._looked_at(name, look, view=view) for name, look in self._looks.items())
        )
        found = dict(zip(self._looks, others, strict=True))
        return HealthReport(dependencies={Dependency.POSTGRES: postgres, **found})

    async def _looked_at(
        self, dependency: Dependency, look: Look, *, view: FleetView | None
    ) -> DependencyHealth:
        fleet = _circuit_of(dependency, view)
        latency: float | None = None
        state = DependencyState.AWAY
        if fleet not in _GIVEN_UP:
            try:
                latency = await _in_time(look)
                state = DependencyState.UNKNOWN if latency is None else DependencyState.OK
            except Exception as error:  # noqa: BLE001 - whatever it is, the report says so
                self._failures[dependency] = _Failure(_code_of(error), self._clock())
        metrics.count(
            metrics.MetricName.DEPENDENCY_CHECKS, dependency=dependency.value, outcome=state.value
        )
        failure = self._failures.get(dependency)
        return DependencyHealth(
            state=state,
            latency_milliseconds=latency,
            last_error=failure.code.value if failure else None,
            last_error_seconds_ago=self._clock() - failure.at_monotonic if failure else None,
            # After the look, which may have opened it.
            circuit=self._own_circuit(dependency) if fleet is CircuitState.CLOSED else fleet,
            needed=dependency is Dependency.POSTGRES,
        )


def _circuit_of(dependency: Dependency, view: FleetView | None) -> CircuitState:
    found = view.circuits.get(dependency) if view is not None else None
    return CircuitState.CLOSED if found is None else found.state


async def _in_time(look: Look) -> float | None:
    async with asyncio.timeout(LOOK_SECONDS_MAX):
        return await look()


def _code_of(error: Exception) -> ErrorCode:
    if isinstance(error, TimeoutError):
        return ErrorCode.DEADLINE_EXCEEDED
    return as_service_error(error).code
