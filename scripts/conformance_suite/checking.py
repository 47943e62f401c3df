"""All checks of one server, while it runs.

Compares only; what a comparison means for the exit status is decided by its caller.
"""

import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from scripts.conformance_suite import servers
from scripts.conformance_suite.authorization import run_authorization
from scripts.conformance_suite.deviations import Verdict, compare, known_deviations
from scripts.conformance_suite.inspector import InspectorRun, run_inspector
from scripts.conformance_suite.node import Checkers
from scripts.conformance_suite.suite import ScenarioResult, run_suite

SERVERS: Final[Mapping[str, Callable[[], AbstractAsyncContextManager[servers.CheckedServer]]]] = {
    "product": servers.product,
    "everything": servers.everything,
}
_AUTHORIZATION: Final = "authorization"


@dataclass
class Findings:
    """What the checks of one server found."""

    verdicts: dict[str, Verdict] = field(default_factory=dict)
    """By group of `deviations.toml`."""
    inspector: list[InspectorRun] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        """Whether everything is as it should be."""
        verdicts = all(verdict.passed for verdict in self.verdicts.values())
        return verdicts and all(run.exit_code == 0 for run in self.inspector)


async def check(name: str, checkers: Checkers, revisions: Sequence[str]) -> Findings:
    """Start a server, check it at these revisions, end it.

    Raises:
        SuiteFailedError: the suite did not run as it should.
        TimeoutError: a checker took too long.
    """
    findings = Findings()
    async with SERVERS[name]() as server:
        findings.verdicts[name] = await _compared(
            name,
            revisions,
            lambda revision, folder: run_suite(checkers, server.url, revision, folder),
        )
        if parts := server.sign_in:
            findings.verdicts[_AUTHORIZATION] = await _compared(
                _AUTHORIZATION,
                revisions,
                lambda revision, folder: run_authorization(checkers, parts, revision, folder),
            )
            findings.inspector = await run_inspector(checkers, server.url)
    return findings


async def _compared(
    group: str,
    revisions: Sequence[str],
    run: Callable[[str, Path], Awaitable[list[ScenarioResult]]],
) -> Verdict:
    results: list[ScenarioResult] = []
    with tempfile.TemporaryDirectory(prefix="dmcp-conf-") as folder:
        for revision in revisions:
            results += await run(revision, Path(folder) / revision)
    return compare(results, known_deviations(group, revisions))
