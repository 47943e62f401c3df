"""What was measured, as tables to read; also the tables of the document about performance.

Never rounds a figure before it is compared.
"""

from typing import Final

from scripts.benchmarks.call import STATEMENT_CALLS, CallReport
from scripts.benchmarks.cold import ColdResult
from scripts.benchmarks.import_times import ImportedPackage
from scripts.benchmarks.sign_ins import OWN_PART, P95_SECONDS_MAX, SignInReport
from scripts.benchmarks.tables import median, number, spread, table, times

_ABOUT_COLD: Final = (
    "Milliseconds, medians. Waited: from spawning to the first answer; in the form `snapshot`, as "
    "after a restore, the first answer alone; CPU is of that. Ratios are to the bare SDK server in "
    "the same form."
)
_ABOUT_IMPORTS: Final = (
    "Imports of the handler by package, milliseconds in its own modules (`-X importtime`, with "
    "byte code):"
)
_ABOUT_CALLS: Final = (
    "Milliseconds. Own share: the call without the site's own time and without what an empty "
    "function takes."
)
_ABOUT_LOAD: Final = (
    "Many at a time, client, browser and site on the same machine; our part with the site's time "
    f"in it, up to the first p95 beyond {P95_SECONDS_MAX:g} s:"
)


def cold_report(results: list[ColdResult], packages: dict[str, list[ImportedPackage]]) -> str:
    """Cold starts and imports."""
    runs = results[0].waited_ms.runs
    return "\n\n".join(
        [
            f"Cold starts, {runs} runs of each, interleaved. {_ABOUT_COLD}",
            table(
                (
                    "function",
                    "form",
                    "MB",
                    "waited",
                    "least..most",
                    "init",
                    "first answer",
                    "CPU",
                    "peak MB",
                    "ratio",
                    "CPU ratio",
                ),
                [_cold_row(result) for result in results],
            ),
            _ABOUT_IMPORTS,
            *(f"{name}: {_packages(listed)}" for name, listed in packages.items()),
        ]
    )


def _cold_row(result: ColdResult) -> tuple[str, ...]:
    return (
        result.name,
        result.form,
        number(result.size_mb, digits=1),
        median(result.waited_ms),
        spread(result.waited_ms),
        median(result.init_ms),
        median(result.first_answer_ms),
        median(result.waited_cpu_ms),
        median(result.peak_memory_mb),
        times(result.waited_ratio),
        times(result.cpu_ratio),
    )


def _packages(listed: list[ImportedPackage]) -> str:
    return ", ".join(f"{one.package} {one.own_ms:.0f}" for one in listed)


def call_report(report: CallReport) -> str:
    """Warm calls and their statements."""
    rows = [
        (
            result.call,
            result.server,
            number(result.total_ms.median, digits=1),
            number(result.total_ms.p95, digits=1),
            median(result.site_ms, digits=1),
            number(result.own_ms.median, digits=1),
            number(result.own_ms.p95, digits=1),
            number(result.cpu_ms, digits=1),
            times(result.total_ratio),
            times(result.own_ratio),
            times(result.cpu_ratio),
        )
        for result in report.results
    ]
    heads = (
        "call",
        "server",
        "p50",
        "p95",
        "site p50",
        "own p50",
        "own p95",
        "CPU",
        "ratio",
        "own ratio",
        "CPU ratio",
    )
    counted = [
        f"{call}: {found.per_call:g} statements a call ("
        + ", ".join(f"{kind} {number:g}" for kind, number in found.kinds.items())
        + ")"
        for call, found in report.statements.items()
    ]
    return "\n\n".join(
        [
            f"Warm calls, {report.rounds} rounds, everyone once a round. {_ABOUT_CALLS}",
            table(heads, rows),
            f"Statements, over {STATEMENT_CALLS} calls of each kind:",
            "\n".join(counted),
        ]
    )


def sign_in_report(report: SignInReport) -> str:
    """Sign-ins step by step, and under load."""
    measured = {
        **report.steps,
        f"our part of a sign-in ({' + '.join(OWN_PART)})": report.own_part,
        "the site's time during the callback, not in it": report.site_ms,
    }
    steps = [
        (name, number(one.median, digits=1), number(one.p95, digits=1))
        for name, one in measured.items()
    ]
    load = [
        (
            number(level.at_a_time),
            number(level.sign_ins),
            number(level.per_second, digits=1),
            number(level.p95_ms),
        )
        for level in report.load
    ]
    return "\n\n".join(
        [
            f"Sign-ins, {report.own_part.runs} one after the other, milliseconds:",
            table(("step", "p50", "p95"), steps),
            _ABOUT_LOAD,
            table(("at a time", "sign-ins", "a second", "our part p95"), load),
        ]
    )
