"""``scripts/alarms_fired``: every alarm by its fault, and the table of what came of it.

Takes some minutes, and is no part of the test suite.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from scripts.alarm_faults import audit_trail, outages, own_faults, people
from scripts.alarm_faults.case import Case, Fired, fire, missing
from scripts.alarm_faults.report import table, written
from scripts.alarm_faults.town import running_town
from scripts.alarms.template_alarms import template_alarms

CASES: Final[Sequence[Case]] = (
    *own_faults.CASES,
    *outages.CASES,
    *people.CASES,
    *audit_trail.CASES,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/alarms_fired", description=__doc__)
    parser.add_argument("alarms", nargs="*", help="only the faults of these alarms")
    parser.add_argument("--write", action="store_true", help="into docs/alarms-fired.md")
    return parser


def _all() -> list[str]:
    template = template_alarms()
    alarms = [one.name for one in template.alarms]
    return alarms + [one.name for one in template.composites]


async def _fired(cases: Sequence[Case], *, write: bool) -> list[Fired]:
    found: list[Fired] = []
    with tempfile.TemporaryDirectory(prefix="dmcp-fired-", ignore_cleanup_errors=True) as folder:
        async with running_town(Path(folder)) as town:
            for case in cases:
                began = time.monotonic()
                print(f"{case.fault} …", file=sys.stderr, flush=True)
                for one in await fire(town, case):
                    told = "NOT FIRED" if one.seconds is None else f"{one.seconds:.0f} s"
                    print(f"    {one.alarm}: {told}; {one.reason}", file=sys.stderr, flush=True)
                    found.append(one)
                if write:
                    written(found, _all())
                print(f"    ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return found


def main() -> int:
    """Fire them; the exit status is 1 if one did not go off or has no fault."""
    given = _parser().parse_args()
    cases = [one for one in CASES if not given.alarms or set(one.alarms) & set(given.alarms)]
    found = asyncio.run(_fired(cases, write=given.write))
    unknown = [] if given.alarms else missing(CASES, _all())
    print(table(found))
    for name in unknown:
        print(f"no fault is planted for {name}", file=sys.stderr)
    return 1 if unknown or any(one.seconds is None for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
