"""A change without its audit event is counted at night."""

import json
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest

from functions.cleanup.audit_reconciliation import AuditReconciliation
from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.state import audit_events, grants
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction
from shared.workflows.end_grant import end_grant
from tests.integration.state.pieces import add_grant, open_session

BACKDATED: tuple[LiteralString, ...] = (
    "UPDATE app.grants SET created_at = app.now() - interval '1 hour'",
    "UPDATE app.grants SET ended_at = app.now() - interval '1 hour' WHERE status = 'ended'",
    "UPDATE app.sessions SET created_at = app.now() - interval '1 hour'",
    "UPDATE app.clients SET created_at = app.now() - interval '1 hour'",
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    opened = Database(database_url)
    yield opened
    await opened.close()


async def at_night(_tx: Transaction) -> tuple[int, int]:
    return 3, 4


async def by_day(_tx: Transaction) -> tuple[int, int]:
    return 3, 5


async def create(database: Database, *, told: bool) -> Any:
    """A grant with a session; with their events or without."""
    grant_id = await add_grant(database)
    async with database.transaction() as tx:
        session = await open_session(tx, grant_id)
        await audit_events.append(tx, AuditAction.GRANT_CREATED, grant_id=grant_id, happened=told)
        await audit_events.append(
            tx, AuditAction.CODE_REDEEMED, session_id=session.session_id, happened=told
        )
        await audit_events.append(
            tx, AuditAction.CLIENT_REGISTERED, client_id=(await _client(tx)), happened=told
        )
    return grant_id


async def _client(tx: Transaction) -> Any:
    found = await tx.row("SELECT client_id FROM app.clients LIMIT 1")
    assert found is not None
    return found["client_id"]


def an_hour_ago(admin: psycopg.Connection[Any]) -> None:
    """All of it, as if it had happened an hour ago."""
    for statement in BACKDATED:
        admin.execute(statement)


async def test_changes_with_their_events_are_covered(
    database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    grant_id = await create(database, told=True)
    async with database.transaction() as tx:
        await end_grant(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
    an_hour_ago(database_admin)

    done = await AuditReconciliation(database, time_of_day=at_night).run()

    assert done == {"changes_audited": 4, "changes_not_audited": 0}


async def test_changes_without_their_events_are_counted_as_missing(
    database: Database, database_admin: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    grant_id = await create(database, told=False)
    async with database.transaction() as tx:
        await grants.end(tx, grant_id=grant_id, cause=EndCause.EXPIRED)
    an_hour_ago(database_admin)
    metrics.flush()
    capsys.readouterr()

    done = await AuditReconciliation(database, time_of_day=at_night).run()
    metrics.flush()

    assert done == {"changes_audited": 0, "changes_not_audited": 4}
    written = [line for line in capsys.readouterr().out.splitlines() if "AuditedChanges" in line]
    counted = {line["outcome"]: line["AuditedChanges"] for line in map(json.loads, written)}
    assert counted == {"covered": [0.0], "missing": [4.0]}


async def test_it_looks_once_a_night(database: Database) -> None:
    assert await AuditReconciliation(database, time_of_day=by_day).run() == {}
