"""The deviations that are right, each with its reason, and the comparison of a run with them.

An entry must go as soon as its check passes: the list may never hide more than it says.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.conformance_suite.suite import Check, ScenarioResult

LIST: Final = Path(__file__).with_name("deviations.toml")


@dataclass(frozen=True)
class Deviation:
    """One entry: a whole scenario, or one check of it (`scenario:check`)."""

    name: str
    reason: str
    revisions: frozenset[str]
    """Where it applies; empty means everywhere."""

    @property
    def scenario(self) -> str:
        """The scenario's name."""
        return self.name.partition(":")[0]

    @property
    def is_whole(self) -> bool:
        """Whether it stands for all checks of its scenario."""
        return ":" not in self.name

    def covers(self, result: ScenarioResult, check: Check) -> bool:
        """Whether the entry speaks of this check in this result."""
        wanted = self.name.partition(":")[2]
        return self.concerns(result) and wanted in {"", check.name}

    def concerns(self, result: ScenarioResult) -> bool:
        """Whether the entry speaks of this result at all."""
        here = not self.revisions or result.revision in self.revisions
        return here and self.scenario == result.scenario


@dataclass
class Verdict:
    """A run, compared with the list."""

    results: Sequence[ScenarioResult]
    unexpected: list[tuple[ScenarioResult, Check]] = field(default_factory=list)
    left_out: list[tuple[ScenarioResult, Deviation]] = field(default_factory=list)
    """Scenarios with a deviation that the list knows."""
    stale: list[str] = field(default_factory=list)
    """Entries whose check passes, or that nothing in the run corresponds to."""

    @property
    def passed(self) -> bool:
        """Whether the run is exactly what the list says."""
        return not self.unexpected and not self.stale


def known_deviations(
    group_name: str, revisions: Iterable[str], path: Path = LIST
) -> list[Deviation]:
    """The entries for one of the servers that apply to one of these revisions."""
    entries = [
        Deviation(name, group["reason"], frozenset(group.get("revisions", ())))
        for group in tomllib.loads(path.read_text(encoding="utf-8")).get(group_name, [])
        for name in group["deviations"]
    ]
    here = set(revisions)
    return [entry for entry in entries if not entry.revisions or entry.revisions & here]


def compare(results: Sequence[ScenarioResult], known: Iterable[Deviation]) -> Verdict:
    """Compare a run with the list."""
    verdict = Verdict(results)
    known = list(known)
    for result in results:
        for check in result.checks:
            if check.deviates and not any(entry.covers(result, check) for entry in known):
                verdict.unexpected.append((result, check))
    for entry in known:
        concerned = [result for result in results if entry.concerns(result)]
        if not concerned:
            verdict.stale.append(f"{entry.name}: the suite has no such scenario at its revisions")
        for result in concerned:
            if any(check.deviates and entry.covers(result, check) for check in result.checks):
                verdict.left_out.append((result, entry))
            else:
                verdict.stale.append(f"{entry.name} at {result.revision}: it passes now")
    return verdict
