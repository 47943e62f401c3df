"""What was found out about circuit breakers, as tables."""

from typing import Final

from scripts.benchmarks.breaker.caller_process import CALLERS
from scripts.benchmarks.breaker.measure import NEWCOMERS_SECONDS, BreakerReport, WayResult
from scripts.benchmarks.breaker.town import PROCESSES
from scripts.benchmarks.tables import number, table

NOT_SO: Final = "-"
_ABOUT: Final = (
    "Reached: requests that came to the site while it hung, while three of four failed (never four "
    "in a row in one process), and while every answer was good but slower than the slow limit. "
    f"Refused: of one newcomer in each process, {NEWCOMERS_SECONDS:g} s after the hang began. At "
    "once: calls let through at one moment once every process refused. Full: seconds from the "
    "site's recovery until nobody is refused or fails any more. Disturbed: calls that failed for "
    "want of a connection, which is the measuring machine's fault."
)


def breaker_report(report: BreakerReport) -> str:
    """All tables."""
    extent = report.extent
    heads = (
        "way",
        "reached, hanging",
        "refused",
        "refusal p99 ms",
        "most ms",
        "at once",
        "full after s",
        "reached, 75 % fail",
        "reached, slow",
        "disturbed",
    )
    errors = [
        (
            f"{one.failing_share:.0%} errors for {one.seconds:g} s",
            number(one.calls),
            number(one.failed),
            number(one.refused),
        )
        for one in report.errors
    ]
    about = (
        f"{PROCESSES} processes of {CALLERS} callers; the site hangs for {extent.hanging:g} s, "
        f"fails for {extent.failing:g} s, dawdles for {extent.dawdling:g} s. {_ABOUT}"
    )
    return "\n\n".join(
        [
            about,
            table(heads, [_row(one) for one in report.ways]),
            "Ours, with few errors:",
            table(("", "calls", "failed", "refused"), errors),
        ]
    )


def _row(one: WayResult) -> tuple[str, ...]:
    return (
        one.way.value,
        number(one.reached_while_hanging),
        f"{one.newcomers_refused}/{one.newcomers}",
        _or_not(one.refusal_p99_ms),
        _or_not(one.refusal_most_ms),
        NOT_SO if one.probes_at_once is None else number(one.probes_at_once),
        _or_not(one.full_after_seconds),
        number(one.reached_while_failing),
        number(one.reached_while_dawdling),
        number(one.disturbed),
    )


def _or_not(value: float | None) -> str:
    return NOT_SO if value is None else number(value, digits=1)
