"""The command line of the benchmarks.

Never asserts anything about the figures: they are for reading, and every machine has its own.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

from scripts.artifacts.build import BuildError
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.benchmarks import call, cold, observability, reports, sign_ins
from scripts.benchmarks.breaker import measure as breaker
from scripts.benchmarks.breaker.report import breaker_report
from scripts.benchmarks.endpoint import database, soak
from scripts.benchmarks.machine import this_machine
from scripts.benchmarks.refresh import measure as refresh
from scripts.benchmarks.refresh.report import refresh_report
from scripts.benchmarks.vault import measure as vault
from scripts.benchmarks.workbench import workbench

Found = tuple[dict[str, Any], str]
"""The figures as data, and as text."""
COLD_RUNS: Final = 7
CALL_ROUNDS: Final = 300
SIGN_INS: Final = 100
LOAD_ROUNDS: Final = 15
"""Sign-ins of each client at every level of load."""
# Runs before the first that counts: caches fill, code specialises.
_COLD_DISCARDED: Final = 1
_CALL_DISCARDED: Final = 30
_SIGN_INS_DISCARDED: Final = 5


async def _cold(*, runs: int, discarded: int) -> Found:
    async with workbench() as bench:
        results = await cold.measure(bench, runs=runs, discarded=discarded)
        packages = cold.imports(bench)
    return cold.as_json(results, packages), reports.cold_report(results, packages)


async def _call(*, rounds: int, discarded: int) -> Found:
    async with workbench() as bench:
        report = await call.measure(bench, rounds=rounds, discarded=discarded)
    return report.as_json(), reports.call_report(report)


async def _sign_ins(*, rounds: int, discarded: int, load_rounds: int) -> Found:
    async with workbench() as bench:
        report = await sign_ins.measure(
            bench, rounds=rounds, discarded=discarded, load_rounds=load_rounds
        )
    return report.as_json(), reports.sign_in_report(report)


def _measure_cold(*, quick: bool) -> Found:
    runs, discarded = (1, 0) if quick else (COLD_RUNS, _COLD_DISCARDED)
    return asyncio.run(_cold(runs=runs, discarded=discarded))


def _measure_call(*, quick: bool) -> Found:
    # A first call is needed to have an environment at all.
    rounds, discarded = (1, 1) if quick else (CALL_ROUNDS, _CALL_DISCARDED)
    return asyncio.run(_call(rounds=rounds, discarded=discarded))


def _measure_oauth(*, quick: bool) -> Found:
    rounds, discarded = (1, 1) if quick else (SIGN_INS, _SIGN_INS_DISCARDED)
    load_rounds = 1 if quick else LOAD_ROUNDS
    return asyncio.run(_sign_ins(rounds=rounds, discarded=discarded, load_rounds=load_rounds))


def _measure_refresh(*, quick: bool) -> Found:
    report = refresh.measure(refresh.QUICK if quick else refresh.WHOLE)
    return report.as_json(), refresh_report(report)


def _measure_vault(*, quick: bool) -> Found:
    report = vault.measure(vault.QUICK if quick else vault.WHOLE)
    return report.as_json(), vault.vault_report(report)


def _measure_breaker(*, quick: bool) -> Found:
    report = breaker.measure(breaker.QUICK if quick else breaker.WHOLE)
    return report.as_json(), breaker_report(report)


def _measure_observability(*, quick: bool) -> Found:
    report = observability.measure(observability.QUICK if quick else observability.WHOLE)
    return report.as_json(), observability.observability_report(report)


def _measure_soak(*, quick: bool) -> Found:
    report = soak.measure(soak.QUICK if quick else soak.WHOLE)
    return report.as_json(), soak.soak_report(report)


def _measure_database(*, quick: bool) -> Found:
    report = database.measure(database.QUICK if quick else database.WHOLE)
    return report.as_json(), database.database_report(report)


class Measure(Protocol):
    """Measures everything, or just enough to show that it works."""

    def __call__(self, *, quick: bool) -> Found:
        """The figures."""


@dataclass(frozen=True, slots=True)
class Benchmark:
    """One thing to measure."""

    about: str
    measure: Measure


BENCHMARKS: Final = {
    "cold": Benchmark(
        "spawn to first answer, imports, memory, size of every function", _measure_cold
    ),
    "call": Benchmark("a warm tool call through the whole path, and its statements", _measure_call),
    "oauth": Benchmark("sign-ins step by step, and how many at a time", _measure_oauth),
    "observability": Benchmark(
        "a tool call with logs, metrics, traces and crash reports, against one without",
        _measure_observability,
    ),
    "refresh": Benchmark(
        "refreshes of upstream pairs: their cost, and who survives a bad day", _measure_refresh
    ),
    "breaker": Benchmark(
        "circuit breakers while a site hangs, fails or dawdles, beside others", _measure_breaker
    ),
    "database": Benchmark(
        "Postgres killed under load, and too few connections: who gets what", _measure_database
    ),
    "soak": Benchmark(
        "thousands of calls in one environment: memory, descriptors, latency", _measure_soak
    ),
    "vault": Benchmark("what KMS is asked, and a change of keys while people call", _measure_vault),
}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures the functions as they ship, on parts of its own.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, benchmark in BENCHMARKS.items():
        command = commands.add_parser(name, help=benchmark.about, description=benchmark.about)
        command.add_argument("--quick", action="store_true", help="only shows that it works")
        command.add_argument("--json", action="store_true", help="data instead of tables")
    return parser


def main() -> int:
    """Do what the command line says; the exit status."""
    given = _parser().parse_args()
    machine = this_machine()
    try:
        data, text = BENCHMARKS[given.command].measure(quick=given.quick)
    except NoPythonError as error:
        print(f"NOT RUN: {error}", file=sys.stderr)
        return 1
    except BuildError as error:
        print(f"FAILED: {error}", file=sys.stderr)
        return 1
    if given.json:
        print(json.dumps({"machine": asdict(machine), **data}, indent=2))
    else:
        print(f"{machine}\n\n{text}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
