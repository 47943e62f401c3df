"""Statements and waits are timed by name; slow ones are logged, without any value."""

import json
import logging as std_logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from shared.observability import logging, metrics
from shared.state import live_state
from shared.state.database import Database, DatabaseStatementError
from shared.state.statement_times import StatementTimes

Told = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def told(capsys: pytest.CaptureFixture[str]) -> Iterator[Told]:
    """The lines that were written, metrics included."""
    root = std_logging.getLogger()
    handlers, level = root.handlers, root.level
    logging.configure(service="unit", level="INFO", stage="local", release="r1")
    metrics.configure(service="unit", stage="local")
    metrics.flush()
    capsys.readouterr()

    def lines() -> list[dict[str, Any]]:
        metrics.flush()
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    yield lines
    root.handlers, root.level = handlers, level
    logging.log.use(std_logging.getLogger("drupalize_mcp"))


async def test_a_statement_and_the_wait_for_its_connection_are_timed(
    database_url: str, told: Told
) -> None:
    database = Database(database_url)
    async with database.transaction() as tx:
        assert await live_state.count(tx) == live_state.LiveState(
            sessions=0, grants=0, oldest_pair_seconds=0
        )
    await database.close()

    lines = told()
    assert [one["statement"] for one in lines if "DatabaseStatementDuration" in one] == [
        "select.sessions"
    ]
    assert sum(len(one.get("DatabaseWaitDuration", [])) for one in lines) == 1
    assert not [one for one in lines if one.get("message") == "slow statement"]


async def test_a_slow_statement_is_logged_by_name_even_if_it_fails(
    database_url: str, told: Told
) -> None:
    database = Database(database_url, statement_times=StatementTimes(0.000_001))
    with pytest.raises(DatabaseStatementError):
        async with database.autocommit() as tx:
            await tx.rows("SELECT %(secret)s::int FROM app.no_such_table", {"secret": "canary"})
    await database.close()

    lines = told()
    (slow,) = (one for one in lines if one.get("message") == "slow statement")
    assert slow["statement"] == "select.no_such_table"
    assert slow["duration_milliseconds"] >= slow["threshold_milliseconds"] == 0
    assert "canary" not in json.dumps(lines)
