import asyncio

import pytest
from psycopg.conninfo import make_conninfo

from scripts import circuits
from shared.domain.circuits import CircuitState, Dependency
from shared.state import forced_circuits
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.integration.state.pieces import value


@pytest.fixture
def operator(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Who runs the command line: somebody with the cleanup's role."""
    role = AppRole.CLEANUP.value
    monkeypatch.setenv("DATABASE_URL", make_conninfo(database_url, user=role))


async def command(*words: str) -> int:
    return await asyncio.to_thread(circuits.main, words)


@pytest.mark.usefixtures("operator")
async def test_an_operator_forces_a_circuit_sees_it_and_gives_it_back(
    database: Database, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await command("force-open", "drupal_rpc") == 0
    assert await command("show") == 0
    shown = capsys.readouterr().out
    assert "drupal_rpc     forced_open" in shown
    assert all(dependency.value in shown for dependency in Dependency)
    assert await command("reset", "drupal_rpc") == 0
    async with database.autocommit() as tx:
        states = {one.dependency: one.state for one in await forced_circuits.show(tx)}
    assert states[Dependency.DRUPAL_RPC] is CircuitState.CLOSED
    audited = "SELECT count(*) FROM app.audit_events WHERE action LIKE 'circuit:%%'"
    assert await value(database, audited) == 2


@pytest.mark.usefixtures("operator")
async def test_what_could_not_be_taken_back_is_refused(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert await command("force-open", "postgres") == 2
    assert "within postgres" in capsys.readouterr().err


async def test_a_database_that_is_away_is_said_to_be_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("DATABASE_URL", "host=127.0.0.1 port=1 dbname=nowhere")
    assert await command("disable", "kms") == 1
    assert "nothing was changed" in capsys.readouterr().err
