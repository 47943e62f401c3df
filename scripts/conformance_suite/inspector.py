"""MCP Inspector's command line over both eras: lists, then calls tools.

A call counts only when the tool itself answered without an error.
"""

from dataclasses import dataclass
from typing import Final

from scripts.conformance_suite.node import Checkers

ERAS: Final = ("legacy", "modern")
_SECONDS_MAX: Final = 60.0
_COMMANDS: Final = (
    # Strict: a schema that some client could not work with is an error.
    ("tools/list", "--strict"),
    ("tools/call", "--tool-name", "search_tutorials", "--tool-arg", "query=views"),
    ("tools/call", "--tool-name", "account_status"),
    ("resources/templates/list",),
    ("prompts/list",),
)


@dataclass(frozen=True)
class InspectorRun:
    """One command in one era."""

    era: str
    command: tuple[str, ...]
    exit_code: int
    errors: str


async def run_inspector(checkers: Checkers, server_url: str) -> list[InspectorRun]:
    """Run every command in every era.

    Raises:
        TimeoutError: one took too long.
    """
    runs = []
    for era in ERAS:
        for command in _COMMANDS:
            arguments = ["--server-url", server_url, "--transport", "http"]
            arguments += ["--protocol-era", era, "--format", "json", "--quiet"]
            arguments += ["--stored-auth-only", "--method", *command]
            outcome = await checkers.inspector(arguments, seconds_max=_SECONDS_MAX)
            runs.append(InspectorRun(era, command, outcome.exit_code, outcome.errors.strip()))
    return runs
