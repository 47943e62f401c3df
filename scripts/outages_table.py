"""The outage matrix as the documentation shows it: one table for each part that can be away."""

from collections.abc import Iterable, Iterator
from typing import Final

from scripts.outages import TABLE, Action, Away, Background, Fault, Impossible, Opens, Row
from shared.domain.health import Readiness

AS_EVER: Final = "as ever"
HEADS: Final = (
    "Fault",
    "Search",
    "Read",
    "Consent",
    "Callback",
    "Client with a document",
    "`/token`",
    "Background refresh",
    "Ready: MCP",
    "Ready: OAuth",
    "Circuit",
)
TITLES: Final = {
    Away.POSTGRES: "Postgres",
    Away.KMS: "KMS",
    Away.DRUPAL_RPC: "Drupal, JSON-RPC",
    Away.DRUPAL_OAUTH: "Drupal, OAuth server",
    Away.SEARCH: "The search engine behind Drupal",
    Away.CLIENT_HOST: "The host of a client's document",
}


def outages_table() -> str:
    """Every row of the matrix, by part."""
    return "\n\n".join(f"### {TITLES[away]}\n\n{_table(_rows(away))}" for away in Away)


def _rows(away: Away) -> Iterator[tuple[str, ...]]:
    for fault, row in TABLE[away].items():
        if isinstance(row, Row):
            yield tuple(_cells(away, fault, row))


def _cells(away: Away, fault: Fault, row: Row) -> Iterator[str]:
    yield fault.value
    for action in (Action.SEARCH, Action.READ, Action.CONSENT, Action.CALLBACK, Action.DOCUMENT):
        yield _answer(row, action)
    yield _answer(row, Action.TOKEN)
    yield AS_EVER if row.background is Background.REFRESHED else row.background.value
    for ready in (row.ready_mcp, row.ready_oauth):
        yield AS_EVER if ready is Readiness.READY else ready.value
    yield "none" if away is Away.CLIENT_HOST else _circuit(row.circuit)


def _answer(row: Row, action: Action) -> str:
    code = row.code(action)
    return AS_EVER if code is None else f"[`{code.value}`](errors.md#{code.value})"


def _circuit(opens: Opens) -> str:
    return AS_EVER if opens is Opens.NOWHERE else opens.value


def impossible_list() -> str:
    """The rows that cannot be, each with the reason."""
    lines = [
        f"- {TITLES[away]}, {fault.value}: {row.reason}."
        for away, rows in TABLE.items()
        for fault, row in rows.items()
        if isinstance(row, Impossible)
    ]
    return "\n".join(lines)


def _table(rows: Iterable[tuple[str, ...]]) -> str:
    lines = [HEADS, ("---",) * len(HEADS), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)
