"""Replays the events on the built artifacts and prints a table: our emulator, and AWS's own.

    scripts/replay_events                       builds what is stale, both emulators
    scripts/replay_events --only oauth/token    some events only
    scripts/replay_events --artifacts FOLDER    what `sam build` has put there, for this machine

It must say loudly what it could not run.
"""

import argparse
import asyncio
import json
import sys
import tempfile
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.artifacts.build import Artifacts, BuildError, artifacts_in, current_artifacts
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.options import StackOptions
from scripts.local_stack.stack import Stack, running_stack
from scripts.replay.answers import FunctionAnswer, read_answer
from scripts.replay.aws_emulator import NoAwsEmulatorError, aws_emulator, find_binary
from scripts.replay.cases import Case, load
from scripts.replay.expectations import differences
from scripts.replay.sign_in import placeholder_values

OURS: Final = "ours"
AWS: Final = "AWS's"
_HOURS_SECONDS: Final = 86_400.0
_EXTRA_SECONDS: Final = 10.0
_DEAD: Final = "127.0.0.1:9"  # the discard port: nothing listens there
_OBSERVED: Final = {
    "TRACE_PROVIDER": "xray",
    "SENTRY_DSN": f"http://public@{_DEAD}/1",
    "AWS_XRAY_DAEMON_ADDRESS": _DEAD,
}

Send = Callable[[Case], Awaitable[bytes]]


@dataclass
class Report:
    """What each emulator made of each case."""

    cases: list[Case]
    found: dict[tuple[str, str, str], list[str]] = field(default_factory=dict)

    async def send(self, emulator: str, case: Case, send: Send) -> None:
        """Send one case and note what differs from what is expected."""
        try:
            answer = read_answer(await send(case))
        except FunctionError as error:
            answer = FunctionAnswer(error=error.error_type)
        except (ValueError, httpx.HTTPError) as error:
            self._note(emulator, case, [f"no answer: {type(error).__name__}"])
            return
        self._note(emulator, case, differences(answer, case.expected))

    def _note(self, emulator: str, case: Case, lines: list[str]) -> None:
        self.found[emulator, case.function, case.name] = lines

    def verdict(self, emulator: str, case: Case) -> str:
        """One word for the table."""
        lines = self.found.get((emulator, case.function, case.name))
        return "-" if lines is None else "FAILED" if lines else "ok"

    @property
    def failed(self) -> int:
        """How many did not answer as expected."""
        return sum(bool(lines) for lines in self.found.values())

    def show(self) -> None:
        """Print the table, what differs, and the sums."""
        print(f"{'event':44}{OURS:>8}{AWS:>8}")
        for case in self.cases:
            name = f"{case.function}/{case.name}"
            print(f"{name:44}{self.verdict(OURS, case):>8}{self.verdict(AWS, case):>8}")
        for (emulator, function, name), lines in self.found.items():
            for line in lines:
                print(f"FAILED {function}/{name} on {emulator}: {line}")
        print(f"{len(self.cases)} events, {len(self.found)} replays, {self.failed} failed")


async def _ticks_ended(stack: Stack) -> None:
    """The schedules fire once at start; they have one environment each."""
    for name in ("token_refresh", "cleanup"):
        await stack.emulator.settled(name)


async def _on_ours(report: Report, stack: Stack, cases: list[Case]) -> None:
    async def send(case: Case) -> bytes:
        result: Any = await stack.emulator.invoke(case.function, case.event)
        return result if isinstance(result, bytes) else json.dumps(result).encode()

    for case in cases:
        await report.send(OURS, case, send)


async def _on_aws(report: Report, stack: Stack, cases: list[Case], binary: Path) -> None:
    for function in stack.functions:
        wanted = [case for case in cases if case.function == function.name]
        log_file = stack.folder.logs / f"aws-emulator-{function.name}.log"
        async with aws_emulator(binary, function, log_file) as emulator:
            seconds = function.timeout_seconds + _EXTRA_SECONDS

            async def send(case: Case, emulator: Any = emulator, seconds: float = seconds) -> bytes:
                answer: bytes = await emulator.invoke(case.event, timeout_seconds=seconds)
                return answer

            for case in wanted:
                await report.send(AWS, case, send)


async def replay(
    cases: list[Case], artifacts: Artifacts | None, *, binary: Path | None, ours: bool = True
) -> Report:
    """Replay ``cases`` on our emulator, and on AWS's where there is a binary."""
    with tempfile.TemporaryDirectory(prefix="dmcp-replay-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(
            Path(folder),
            fixed_ports=False,
            artifacts=artifacts,
            refresh_interval_seconds=_HOURS_SECONDS,
            cleanup_interval_seconds=_HOURS_SECONDS,
            more_variables=_OBSERVED,
        )
        async with running_stack(options) as stack:
            values = await placeholder_values(stack)
            await _ticks_ended(stack)
            filled = [case.filled(values) for case in cases]
            report = Report(cases)
            if ours:
                await _on_ours(report, stack, filled)
            if binary is not None:
                await _on_aws(report, stack, filled, binary)
            return report


def _binary(chosen: str) -> Path | None:
    if chosen == "ours":
        return None
    try:
        return find_binary()
    except NoAwsEmulatorError as error:
        print(f"NOT RUN: replay on AWS's emulator ({error})")
        return None


def main(arguments: list[str] | None = None) -> int:
    """Replay; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/replay_events")
    parser.add_argument(
        "--artifacts", type=Path, metavar="FOLDER", help="default: built when stale"
    )
    parser.add_argument("--emulator", choices=("both", "ours", "aws"), default="both")
    parser.add_argument("--only", default="", metavar="TEXT", help="events with TEXT in their name")
    given = parser.parse_args(arguments)
    try:
        artifacts = artifacts_in(given.artifacts) if given.artifacts else current_artifacts()
    except NoPythonError as error:
        print(f"NOT RUN: replay of the events ({error})")
        return 0
    except BuildError as error:
        print(f"FAILED {error}")
        return 1
    binary = _binary(given.emulator)
    report = asyncio.run(
        replay(load(given.only), artifacts, binary=binary, ours=given.emulator != "aws")
    )
    report.show()
    return 1 if report.failed or not report.found else 0


if __name__ == "__main__":
    sys.exit(main())
