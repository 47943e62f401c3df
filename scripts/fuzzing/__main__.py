"""The command line: sends made-up requests for so long, and tells what was answered."""

import argparse
import asyncio
import secrets
import sys
from collections import Counter
from collections.abc import Sequence
from typing import Final

from scripts.benchmarks.tables import table
from scripts.fuzzing.exchange import DEADLINE_SECONDS
from scripts.fuzzing.run import GROWTH_MAX, Report, fuzz
from scripts.local_stack.child_process import PartFailedError
from scripts.local_stack.postgres import PostgresStartError

SECONDS_DEFAULT: Final = 60.0
SEED_DEFAULT: Final = 20_260_728


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="scripts/fuzz",
        description="Sends made-up requests to both doors of a fresh stack; judges every answer.",
    )
    parser.add_argument("seconds", nargs="?", type=float, default=SECONDS_DEFAULT)
    parser.add_argument(
        "--seed",
        default=str(SEED_DEFAULT),
        help=f"a number, or `random`; {SEED_DEFAULT} if left out, so that a run can be repeated",
    )
    return parser.parse_args(words)


def main(words: Sequence[str] | None = None) -> int:
    """Run; 1 if anything is wrong."""
    arguments = _arguments(words)
    seed = secrets.randbits(32) if arguments.seed == "random" else int(arguments.seed)
    print(f"Seed {seed}, {arguments.seconds:g} s", flush=True)
    try:
        report = asyncio.run(fuzz(arguments.seconds, seed))
    except (PartFailedError, PostgresStartError) as error:
        print(error, file=sys.stderr)
        return 1
    print(_as_text(report))
    return 0 if report.is_clean else 1


def _as_text(report: Report) -> str:
    answered = [
        (
            tally.name,
            f"{tally.requests:,}",
            _counted(tally.statuses),
            f"{tally.slowest_seconds:.2f}",
            str(len(tally.findings)),
        )
        for tally in report.tallies
    ]
    held = [
        (
            memory.function,
            str(len(memory.at_the_end)),
            f"{max(memory.after_warm_up.values(), default=0):.1f}",
            f"{max(memory.at_the_end.values(), default=0):.1f}",
            f"{memory.growth:.3f}",
            "flat" if memory.is_flat else "NOT FLAT",
        )
        for memory in report.memories
    ]
    codes: Counter[str] = sum((tally.codes for tally in report.tallies), Counter())
    return "\n\n".join(
        [
            table(("part", "answers", "by status", "slowest s", "findings"), answered),
            f"Codes told: {_counted(codes)}. Nothing may take {DEADLINE_SECONDS:g} s.",
            table(("function", "environments", "warm MB", "end MB", "growth", ""), held),
            f"Flat: at most {GROWTH_MAX:.2f} times what it was, in the same environments.",
            *_findings(report),
            "Clean." if report.is_clean else f"NOT CLEAN; again with --seed {report.seed}",
        ]
    )


def _findings(report: Report) -> list[str]:
    return [
        f"{tally.name}: {complaint}\n    {request}"
        for tally in report.tallies
        for complaint, request in tally.findings.items()
    ]


def _counted(counts: Counter[int] | Counter[str]) -> str:
    return ", ".join(f"{name} x {times:,}" for name, times in counts.most_common())


if __name__ == "__main__":
    sys.exit(main())
