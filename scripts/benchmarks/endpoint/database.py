"""All that ``bench database`` finds out, and how much of it a quick run does."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from scripts.benchmarks.endpoint import outage, shortage
from scripts.benchmarks.endpoint.outage import Outage, OutageExtent
from scripts.benchmarks.endpoint.premises import opened_premises
from scripts.benchmarks.endpoint.shortage import Shortage, ShortageExtent
from scripts.benchmarks.refresh.world import World, running_world
from scripts.benchmarks.tables import number, table
from shared.observability import metrics


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    outage: OutageExtent
    shortage: ShortageExtent


WHOLE: Final = Extent(
    outage=OutageExtent(callers=16, kills=3, calm_seconds=5.0, away_seconds=1.0),
    shortage=ShortageExtent(callers=50, calls_each=20, connections=5),
)
QUICK: Final = Extent(
    outage=OutageExtent(callers=4, kills=1, calm_seconds=0.5, away_seconds=0.2),
    shortage=ShortageExtent(callers=10, calls_each=3, connections=2),
)


@dataclass(frozen=True, kw_only=True)
class DatabaseReport:
    """Everything that was found out."""

    outage: Outage
    shortage: Shortage

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"database": asdict(self)}


def measure(extent: Extent) -> DatabaseReport:
    """Measure both, one after the other.

    Logs and metrics are left out: the figures are to stand alone.
    """
    logging.disable(logging.CRITICAL)
    with Path(os.devnull).open("w") as nowhere, contextlib.redirect_stdout(nowhere):
        with running_world() as world:
            report = asyncio.run(_measure(world, extent))
        metrics.flush()
    return report


async def _measure(world: World, extent: Extent) -> DatabaseReport:
    # In this order: the restarted server ends with the thread that measured the outage.
    async with opened_premises(world) as around:
        short = await shortage.measure(around, extent.shortage)
    async with opened_premises(world) as around:
        away = await outage.measure(world, around, extent.outage)
    return DatabaseReport(outage=away, shortage=short)


def database_report(report: DatabaseReport) -> str:
    """Both tables."""
    return "\n\n".join([*_outage(report.outage), *_shortage(report.shortage)])


def _outage(found: Outage) -> list[str]:
    return [
        (
            f"{found.callers} callers, half of them new at every call; Postgres killed and "
            f"restarted {found.kills} times:"
        ),
        table(
            ("", "figure"),
            [
                ("calls", number(found.calls)),
                ("wrong answers", number(found.wrong)),
                ("401 answers", number(found.signed_out)),
                ("grants lost", number(found.grants_lost)),
                ("answered while Postgres was away", number(found.answered_while_away)),
                ("refused, told when to come back", number(found.refusals)),
                ("longest refusal, seconds", number(found.refusal_most_seconds, digits=2)),
                ("retries within one request, most", number(found.retries_inside_most)),
                ("repeats of one call by its client, most", number(found.repeats_most)),
                ("Postgres away, seconds", _each(found.away_seconds)),
                ("then until everybody is served, seconds", _each(found.recovery_seconds)),
            ],
        ),
    ]


def _shortage(found: Shortage) -> list[str]:
    refusals, after = found.refusal_seconds, found.afterwards_seconds
    return [
        f"{found.callers} callers, {found.connections} connections, nobody waits as told:",
        table(
            ("", "figure"),
            [
                ("calls", number(found.calls)),
                ("refused (503)", f"{found.refused_share:.0%}"),
                ("wrong answers", number(found.wrong)),
                ("401 answers", number(found.signed_out)),
                ("refusal p95, seconds", number(refusals.p95 if refusals else None, digits=2)),
                ("refusal most, seconds", number(refusals.most if refusals else None, digits=2)),
                ("connections meanwhile", number(found.connections_meanwhile)),
                ("limit lifted: all served after, seconds", _each([found.all_served_seconds])),
                ("then all at once, most seconds", number(after.most, digits=2)),
                ("tasks left over", number(found.tasks_left)),
            ],
        ),
    ]


def _each(seconds: Sequence[float]) -> str:
    return ", ".join(number(one, digits=2) for one in seconds)
