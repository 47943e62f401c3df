"""Tells on the terminal what a run found.

Every deviation that is not on the list appears with its message; a figure never hides one.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.conformance_suite.deviations import Verdict
from scripts.conformance_suite.inspector import InspectorRun
from scripts.conformance_suite.suite import Status

Tell = Callable[[str], None]

_TITLES: Final[Mapping[str, str]] = {
    "product": "This server with its own tools, as a signed-in member",
    "authorization": "This server's authorization server",
    "everything": "The everything server of the tests, on the same streaming engine",
}
_HEAD: Final = ("revision", "scenarios", "passed", "in part", "left out", "failed", "checks")
_FIRST_COLUMN_CHARACTERS: Final = 10
_COLUMN_CHARACTERS: Final = 11
_MESSAGE_CHARACTERS_MAX: Final = 400


@dataclass(frozen=True)
class Counts:
    """Scenarios of one revision, and the checks that passed in those not left out."""

    scenarios: int
    passed: int
    in_part: int
    """Passed but for listed checks."""
    left_out: int
    """Listed as a whole."""
    failed: int
    checks: int


def counted(verdict: Verdict, revision: str) -> Counts:
    """Count what a verdict says of one revision."""
    results = [result for result in verdict.results if result.revision == revision]
    failed = {result.scenario for result, _ in verdict.unexpected if result.revision == revision}
    listed = {entry for result, entry in verdict.left_out if result.revision == revision}
    left_out = {entry.scenario for entry in listed if entry.is_whole} - failed
    in_part = {entry.scenario for entry in listed if not entry.is_whole} - failed
    checks = sum(
        check.status is Status.SUCCESS
        for result in results
        if result.scenario not in left_out
        for check in result.checks
    )
    passed = len(results) - len(failed) - len(left_out) - len(in_part)
    return Counts(len(results), passed, len(in_part), len(left_out), len(failed), checks)


def tell_verdict(group: str, verdict: Verdict, tell: Tell, *, verbose: bool) -> None:
    """The table of one server, then what is not as the list says."""
    tell(f"\n{_TITLES[group]}")
    tell(_line(_HEAD))
    for revision in sorted({result.revision for result in verdict.results}):
        count = counted(verdict, revision)
        figures = (count.scenarios, count.passed, count.in_part, count.left_out, count.failed)
        tell(_line((revision, *map(str, figures), str(count.checks))))
    for result, check in verdict.unexpected:
        message = check.message[:_MESSAGE_CHARACTERS_MAX]
        tell(f"  {check.status} {result.revision} {result.scenario}:{check.name}: {message}")
    for stale in verdict.stale:
        tell(f"  REMOVE FROM deviations.toml: {stale}")
    if verbose:
        for name, reason in sorted({(entry.name, entry.reason) for _, entry in verdict.left_out}):
            tell(f"  left out: {name}: {reason}")


def tell_inspector(runs: Sequence[InspectorRun], tell: Tell) -> None:
    """One line for each command."""
    if runs:
        tell("\nMCP Inspector, command line")
    for run in runs:
        tell(f"  exit {run.exit_code}  {run.era:7} {' '.join(run.command)}")
        if run.exit_code != 0:
            tell(f"    {run.errors[:_MESSAGE_CHARACTERS_MAX]}")


def _line(cells: Sequence[str]) -> str:
    first, *rest = cells
    return f"  {first:<{_FIRST_COLUMN_CHARACTERS}}" + "".join(
        f"{cell:>{_COLUMN_CHARACTERS}}" for cell in rest
    )
