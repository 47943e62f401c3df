"""Checks conformance: `scripts/conformance`, see docs/conformance.md.

Exit status 0: all as the list of deviations says; 1: not; 3: there is no Node to run it with.
"""

import argparse
import asyncio
import sys
import time
from pathlib import Path
from typing import Final

from scripts.conformance_suite.checking import SERVERS, check
from scripts.conformance_suite.node import NodeUnavailableError, prepared_checkers
from scripts.conformance_suite.report import tell_inspector, tell_verdict
from scripts.conformance_suite.suite import REVISIONS, SuiteFailedError
from scripts.local_stack.child_process import PartFailedError

CACHE_FOLDER: Final = Path(".dev") / "conformance"
NOT_RUN: Final = 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/conformance",
        description="The official MCP conformance suite and MCP Inspector against this server.",
    )
    parser.add_argument("--server", choices=tuple(SERVERS), help="only this one")
    parser.add_argument("--revision", choices=REVISIONS, action="append", help="only this one")
    parser.add_argument("--verbose", action="store_true", help="list what is left out, and why")
    parser.add_argument(
        "--if-possible", action="store_true", help="exit 0 where no Node is to be had"
    )
    return parser


async def _main(given: argparse.Namespace) -> int:
    began = time.monotonic()
    try:
        checkers = await prepared_checkers(CACHE_FOLDER.absolute())
    except NodeUnavailableError as error:
        print(f"NOT RUN: MCP conformance: {error}")
        return 0 if given.if_possible else NOT_RUN
    passed = True
    for name in [given.server] if given.server else SERVERS:
        try:
            findings = await check(name, checkers, given.revision or REVISIONS)
        except (SuiteFailedError, PartFailedError, TimeoutError) as error:
            print(f"{type(error).__name__}: {error}", file=sys.stderr)
            return 1
        for group, verdict in findings.verdicts.items():
            tell_verdict(group, verdict, print, verbose=given.verbose)
        tell_inspector(findings.inspector, print)
        passed = passed and findings.passed
    print(f"\nconformance {'PASSED' if passed else 'FAILED'} in {time.monotonic() - began:.0f} s")
    return 0 if passed else 1


if __name__ == "__main__":
    sys.exit(asyncio.run(_main(_parser().parse_args())))
