"""Runs every scenario that the suite has for a revision, and reads what it found.

Judges nothing: a finding is what the suite says, expected or not.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final

from scripts.conformance_suite.node import Checkers
from scripts.conformance_suite.programs import Outcome

REVISIONS: Final = ("2025-06-18", "2025-11-25", "2026-07-28")
_SECONDS_MAX: Final = 150.0
_SCENARIO_MILLISECONDS_MAX: Final = 20_000
_STARTED: Final = re.compile(r"^=== Running scenario: (\S+) ===$", re.MULTILINE)
_FOLDER: Final = r"{kind}-(.+)-\d{{4}}-\d\d-\d\dT[\d-]+Z"
_LINES_SHOWN: Final = 15


class SuiteFailedError(Exception):
    """The suite itself did not run as it should; the message shows its last lines."""


class Status(StrEnum):
    """What the suite says of one check; the worst one comes last."""

    INFO = "INFO"
    SKIPPED = "SKIPPED"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILURE = "FAILURE"


_DEVIATING: Final = frozenset({Status.WARNING, Status.FAILURE})
_SEVERITY: Final = {status: place for place, status in enumerate(Status)}


@dataclass(frozen=True)
class Check:
    """One check; where its id occurs several times in a scenario, the worst occurrence."""

    name: str
    status: Status
    message: str

    @property
    def deviates(self) -> bool:
        """Whether a MUST (failure) or a SHOULD (warning) of the specification is not met."""
        return self.status in _DEVIATING


@dataclass(frozen=True)
class ScenarioResult:
    """What a scenario found at one revision."""

    revision: str
    scenario: str
    checks: tuple[Check, ...]


async def run_suite(
    checkers: Checkers, server_url: str, revision: str, folder: Path
) -> list[ScenarioResult]:
    """Run all scenarios of a revision against a server; `folder` must be empty or missing.

    Raises:
        SuiteFailedError: it ran no scenario, or a scenario left no result.
        TimeoutError: it took too long.
    """
    arguments = ["server", "--url", server_url, "--suite", "all", "--spec-version", revision]
    arguments += ["--output-dir", str(folder), "--timeout", str(_SCENARIO_MILLISECONDS_MAX)]
    outcome = await checkers.suite(arguments, seconds_max=_SECONDS_MAX)
    return read_results(outcome, folder, kind="server", revision=revision)


def read_results(
    outcome: Outcome, folder: Path, *, kind: str, revision: str
) -> list[ScenarioResult]:
    """What a run of the suite has left in `folder`.

    Raises:
        SuiteFailedError: it ran no scenario, or a scenario left no result.
    """
    started = _STARTED.findall(outcome.output)
    found = _found(folder, kind)
    # Its exit status says only whether any check failed.
    if not started or outcome.exit_code not in {0, 1} or set(started) != set(found):
        lines = f"{outcome.output}\n{outcome.errors}".splitlines()[-_LINES_SHOWN:]
        missing = ", ".join(sorted(set(started) - set(found))) or "none"
        head = f"the suite ended with {outcome.exit_code}, scenarios without result: {missing}"
        raise SuiteFailedError("\n".join([head, *lines]))
    return [ScenarioResult(revision, name, found[name]) for name in started]


def _found(folder: Path, kind: str) -> dict[str, tuple[Check, ...]]:
    named = re.compile(_FOLDER.format(kind=kind))
    return {
        match[1]: _checks(path)
        for path in folder.glob("*/checks.json")
        if (match := named.fullmatch(path.parent.name))
    }


def _checks(path: Path) -> tuple[Check, ...]:
    worst: dict[str, Check] = {}
    for item in json.loads(path.read_text(encoding="utf-8")):
        check = Check(item["id"], Status(item["status"]), item.get("errorMessage") or "")
        known = worst.get(check.name)
        if known is None or _SEVERITY[check.status] > _SEVERITY[known.status]:
            worst[check.name] = check
    return tuple(worst.values())
