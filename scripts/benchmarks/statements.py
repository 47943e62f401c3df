"""The SQL statements that a function sends, as the server's own log tells them.

Slows the server down: never on while times are taken.
"""

import contextlib
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import Final

import psycopg

from scripts.local_stack.postgres import PostgresServer
from shared.state.roles import AppRole

_LOGGED: Final = re.compile(r"(?P<role>\w+): LOG:  (?:execute [^:]+|statement): (?P<text>.*)")
_CONTINUED: Final = "\t"
"""Begins every further line of an entry in the server's log."""
_OBJECT: Final = re.compile(r"\bapp\.\w+")
_READ_FROM: Final = re.compile(r"\ASELECT\b.*?\bFROM\s+(app\.\w+)", re.IGNORECASE | re.DOTALL)
"""What a query reads names it better than what it shows beside that."""
_SETTLING_CALLS_MAX: Final = 50
_ON: Final = ("ALTER SYSTEM SET log_statement = 'all'", "ALTER SYSTEM SET log_line_prefix = '%u: '")
_OFF: Final = ("ALTER SYSTEM RESET log_statement", "ALTER SYSTEM RESET log_line_prefix")

Call = Callable[[], Awaitable[None]]


class StatementsUnknownError(Exception):
    """The server logged nothing of what was asked for."""


@dataclass(frozen=True, kw_only=True)
class Statements:
    """What one call sends to the database."""

    per_call: float
    kinds: dict[str, float]
    """By the object of our schema that a statement names first; how often per call."""


async def count(postgres: PostgresServer, role: AppRole, call: Call, *, calls: int) -> Statements:
    """Call so many times, and count what ``role`` sends meanwhile.

    Raises:
        StatementsUnknownError: nothing was logged.
    """
    with _logged(postgres):
        # Each connection takes the new setting over at its next statement but one at the latest.
        for _ in range(_SETTLING_CALLS_MAX):
            await call()
            if _sent(postgres, role, since=0):
                break
        else:
            raise StatementsUnknownError
        await call()
        size = postgres.log_file.stat().st_size
        for _ in range(calls):
            await call()
        sent = Counter(_kind(text) for text in _sent(postgres, role, since=size))
    return Statements(
        per_call=sent.total() / calls,
        kinds={kind: times / calls for kind, times in sorted(sent.items())},
    )


@contextlib.contextmanager
def _logged(postgres: PostgresServer) -> Iterator[None]:
    with psycopg.connect(postgres.conninfo(), autocommit=True) as connection:

        def switch(statements: tuple[str, ...]) -> None:
            for statement in (*statements, "SELECT pg_reload_conf()"):
                connection.execute(statement.encode())

        switch(_ON)
        try:
            yield
        finally:
            switch(_OFF)


def _sent(postgres: PostgresServer, role: AppRole, *, since: int) -> list[str]:
    with postgres.log_file.open("rb") as log:
        log.seek(since)
        lines = log.read().decode(errors="replace").splitlines()
    return statements_of(lines, role)


def statements_of(lines: list[str], role: AppRole) -> list[str]:
    """The statements that ``role`` sent, from lines of the server's log."""
    whole: list[str] = []
    for line in lines:
        if line.startswith(_CONTINUED) and whole:
            whole[-1] += f" {line.strip()}"
        else:
            whole.append(line)
    found = [_LOGGED.match(line) for line in whole]
    return [match["text"].strip() for match in found if match and match["role"] == role.value]


def _kind(statement: str) -> str:
    read = _READ_FROM.search(statement)
    if read is not None:
        return read[1]
    named = _OBJECT.search(statement)
    return named[0] if named else statement.split(" ", 1)[0].lower()
