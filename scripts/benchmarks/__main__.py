"""The command line of the benchmarks: cold, call.

Never asserts anything about the figures: they are for reading, and every machine has its own.
"""

import argparse
import asyncio
import json
import sys
from dataclasses import asdict, dataclass
from typing import Any, Final

from scripts.artifacts.build import BuildError
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.benchmarks import call, cold, reports
from scripts.benchmarks.machine import this_machine
from scripts.benchmarks.workbench import workbench

COLD_RUNS: Final = 7
CALL_ROUNDS: Final = 300
DISCARDED: Final = {"cold": 1, "call": 30}
"""Runs before the first that counts: caches fill, code specialises."""


@dataclass(frozen=True, kw_only=True)
class Effort:
    """How long to measure."""

    runs: int
    discarded: int


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description="Measures the functions as they ship, on a stack of its own.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for name, default, about in (
        ("cold", COLD_RUNS, "spawn to first answer, imports, memory, size of every function"),
        ("call", CALL_ROUNDS, "a warm tool call through the whole path, and its statements"),
    ):
        command = commands.add_parser(name, help=about, description=about)
        command.add_argument("--runs", type=int, default=default, help=f"default: {default}")
        command.add_argument("--quick", action="store_true", help="once: only shows that it works")
        command.add_argument("--json", action="store_true", help="data instead of tables")
    return parser


async def _measured(command: str, effort: Effort) -> tuple[dict[str, Any], str]:
    async with workbench() as bench:
        if command == "cold":
            results = await cold.measure(bench, runs=effort.runs, discarded=effort.discarded)
            packages = cold.imports(bench)
            return cold.as_json(results, packages), reports.cold_report(results, packages)
        report = await call.measure(bench, rounds=effort.runs, discarded=effort.discarded)
        return report.as_json(), reports.call_report(report)


def main() -> int:
    """Do what the command line says; the exit status."""
    given = _parser().parse_args()
    effort = Effort(runs=given.runs, discarded=DISCARDED[given.command])
    if given.quick:
        # A first call is needed to have an environment at all; a first start is not.
        effort = Effort(runs=1, discarded=1 if given.command == "call" else 0)
    machine = this_machine()
    try:
        data, text = asyncio.run(_measured(given.command, effort))
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
