"""What ``bench refresh`` found out, as tables to read."""

from scripts.benchmarks.refresh.claims import BATCH, Claims
from scripts.benchmarks.refresh.measure import RefreshReport
from scripts.benchmarks.refresh.speed import Speed
from scripts.benchmarks.refresh.survival import RESTARTS, Effort, Survival
from scripts.benchmarks.samples import Tail
from scripts.benchmarks.tables import number, table


def refresh_report(report: RefreshReport) -> str:
    """Speed, claims, and who was left."""
    return "\n\n".join(
        [
            *_speed(report.speed),
            _claims(report.claims),
            _about_survival(report.effort),
            table(
                ("way", "site's buffer", "kills", "people", "refreshes", "killed", "signed out"),
                [_survival_row(one) for one in report.survival],
            ),
            *_details(report.survival),
        ]
    )


def _speed(speed: Speed) -> list[str]:
    kinds = ", ".join(f"{kind} {times:g}" for kind, times in speed.statements.kinds.items())
    return [
        f"Refreshes, {speed.total_ms.runs} one after the other, milliseconds:",
        table(
            ("", "p50", "p95", "p99"),
            [
                _tail_row("whole refresh", speed.total_ms),
                _tail_row("our own time, without the site's", speed.own_ms),
                _tail_row("window: answer read to new pair committed", speed.window_ms),
            ],
        ),
        f"One worker, {speed.concurrency} refreshes at a time: {speed.per_second:.0f} a second.",
        f"{speed.statements.per_call:g} statements a refresh ({kinds}).",
    ]


def _tail_row(name: str, measured: Tail) -> tuple[str, ...]:
    values = (measured.median, measured.p95, measured.p99)
    return (name, *(number(value, digits=1) for value in values))


def _claims(claims: Claims) -> str:
    batch = claims.batch_ms
    return (
        f"Taking the next {BATCH} due grants among {claims.grants:,}: p50 {batch.median:.1f} ms, "
        f"p95 {batch.p95:.1f} ms, p99 {batch.p99:.1f} ms; {claims.per_second:,.0f} grants a second."
    )


def _about_survival(effort: Effort) -> str:
    return (
        f"{effort.people} people, {effort.workers} workers, {effort.seconds / 60:.1f} minutes of "
        f"life at {effort.speed:g} times the speed; {effort.crash_share:.0%} of refreshes killed, "
        f"{effort.failing_share:.0%} answered by 503 before anything was done, Postgres restarted "
        f"{RESTARTS} times:"
    )


def _survival_row(one: Survival) -> tuple[str, ...]:
    return (
        one.way,
        "yes" if one.buffer else "no",
        one.crashes_at,
        number(one.people),
        number(one.refreshes),
        number(sum(one.kills.values())),
        number(one.signed_out),
    )


def _details(survivals: list[Survival]) -> list[str]:
    return [
        f"{one.way}, {'with' if one.buffer else 'without'} buffer: killed at {_counts(one.kills)}; "
        f"signed out: {_counts(one.lost)}."
        for one in survivals
    ]


def _counts(counted: dict[str, int]) -> str:
    return ", ".join(f"{what} {times}" for what, times in counted.items()) or "none"
