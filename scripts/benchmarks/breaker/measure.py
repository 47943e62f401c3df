"""All that ``bench breaker`` finds out, and how much of it a quick run does."""

import itertools
import time
from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.benchmarks.breaker import outage
from scripts.benchmarks.breaker.moody_site import Mood
from scripts.benchmarks.breaker.town import Town, town
from scripts.benchmarks.breaker.ways import WayName
from scripts.benchmarks.refresh.world import World, running_world
from scripts.benchmarks.samples import percentile

NEWCOMERS_SECONDS: Final = 6.0
"""After the site has begun to hang somebody new comes to every process."""
ERROR_SHARES: Final = (0.01, 0.05)


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How long each part lasts, in seconds, and who takes part."""

    ways: tuple[WayName, ...]
    well: float
    hanging: float
    recovering: float
    failing: float
    dawdling: float
    few_errors: float


WHOLE: Final = Extent(
    ways=tuple(WayName),
    well=8.0,
    hanging=40.0,
    recovering=40.0,
    failing=20.0,
    dawdling=30.0,
    few_errors=600.0,
)
QUICK: Final = Extent(
    ways=(WayName.NONE, WayName.OURS),
    well=3.0,
    hanging=9.0,
    recovering=25.0,
    failing=6.0,
    dawdling=7.0,
    few_errors=5.0,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class WayResult:
    """How one way fared. Seconds and milliseconds as named; None for what did not happen."""

    way: WayName
    reached_while_hanging: int
    newcomers: int
    newcomers_refused: int
    refusal_p99_ms: float | None
    refusal_most_ms: float | None
    refused_since_seconds: float | None
    probes_at_once: int | None
    full_after_seconds: float | None
    disturbed: int
    """Calls that failed for want of a connection, by a load of the machine that is not the site's:
    above zero the row says less about the way than about the machine."""
    reached_while_failing: int
    reached_while_dawdling: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorsResult:
    """How our circuit fared with few errors."""

    failing_share: float
    seconds: float
    calls: int
    failed: int
    refused: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakerReport:
    """Everything that was found out."""

    extent: Extent
    ways: list[WayResult]
    errors: list[ErrorsResult]

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"breaker": asdict(self)}


def measure(extent: Extent) -> BreakerReport:
    """Measure one way after the other, each in a town of its own."""
    with running_world() as world:
        return BreakerReport(
            extent=extent,
            ways=[_way(world, name, extent) for name in extent.ways],
            errors=[_errors(world, share, extent.few_errors) for share in ERROR_SHARES],
        )


def _way(world: World, name: WayName, extent: Extent) -> WayResult:
    with town(world, name) as people:
        hung = _hang(people, extent)
    with town(world, name) as people:
        people.pass_time(Mood.WELL, extent.well)
        failing = people.pass_time(Mood.FAILS_THREE_OF_FOUR, extent.failing)
    with town(world, name) as people:
        people.pass_time(Mood.WELL, extent.well)
        dawdling = people.pass_time(Mood.DAWDLES, extent.dawdling)
    return WayResult(
        way=name, **hung, reached_while_failing=failing, reached_while_dawdling=dawdling
    )


def _hang(people: Town, extent: Extent) -> dict[str, Any]:
    people.pass_time(Mood.WELL, extent.well)
    people.taken()
    people.be(Mood.HANGS)
    hung_at = time.monotonic()
    time.sleep(NEWCOMERS_SECONDS)
    newcomers = people.newcomers()
    time.sleep(max(0.0, hung_at + extent.hanging - time.monotonic()))
    reached = people.be(Mood.WELL)
    well_at = time.monotonic()
    time.sleep(extent.recovering)
    by_process = people.taken()
    calls = list(itertools.chain.from_iterable(by_process))
    since = outage.refused_since(by_process, hung_at)
    refusals = outage.refusal_milliseconds(calls)
    refusals += [milliseconds for refused, milliseconds in newcomers if refused]
    return {
        "reached_while_hanging": reached,
        "newcomers": len(newcomers),
        "newcomers_refused": sum(refused for refused, _ in newcomers),
        "refusal_p99_ms": percentile(refusals, 99) if refusals else None,
        "refusal_most_ms": max(refusals, default=None),
        "refused_since_seconds": since,
        "probes_at_once": None
        if since is None
        else outage.at_once_max(calls, since=hung_at + since, until=well_at),
        "full_after_seconds": outage.full_after(calls, well_at),
        "disturbed": outage.failed_early(calls, before=well_at),
    }


def _errors(world: World, share: float, seconds: float) -> ErrorsResult:
    with town(world, WayName.OURS) as people:
        people.pass_time(Mood.FAILS_NOW_AND_THEN, seconds, failing_share=share)
        calls = list(itertools.chain.from_iterable(people.taken()))
    outcomes = [one.outcome for one in calls]
    return ErrorsResult(
        failing_share=share,
        seconds=seconds,
        calls=len(calls),
        failed=outcomes.count("failed"),
        refused=outcomes.count("refused"),
    )
