"""The audit trail stands or falls with the change it reports, and nobody changes it."""

from collections.abc import AsyncIterator
from typing import LiteralString

import pytest
from psycopg.conninfo import make_conninfo

from shared.domain.identifiers import GrantId, SessionId, UserId, new_id
from shared.state import audit_events
from shared.state.audit_events import AuditAction
from shared.state.database import Database, DatabaseStatementError
from shared.state.retention import RULES
from shared.state.roles import AppRole
from tests.integration.state.pieces import CLIENT_ID, value

COUNT = "SELECT count(*) FROM app.audit_events"


@pytest.fixture(params=AppRole)
async def of_role(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    database = Database(make_conninfo(database_url, user=request.param.value))
    yield database
    await database.close()


async def test_every_function_may_append(database: Database, of_role: Database) -> None:
    user_id, grant_id, session_id = UserId(new_id()), GrantId(new_id()), SessionId(new_id())
    async with of_role.transaction() as tx:
        await audit_events.append(
            tx,
            AuditAction.GRANT_ENDED,
            user_id=user_id,
            grant_id=grant_id,
            session_id=session_id,
            client_id=CLIENT_ID,
            details={"cause": "expired", "sessions": 2, "told": False},
        )

    async with database.autocommit() as tx:
        row = await tx.row("SELECT * FROM app.audit_events")
    assert row is not None
    assert (row["action"], row["client_id"]) == ("grant:ended", CLIENT_ID)
    assert (row["user_id"], row["grant_id"], row["session_id"]) == (user_id, grant_id, session_id)
    assert row["details"] == {"cause": "expired", "sessions": 2, "told": False}


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE app.audit_events SET action = 'x'",
        "DELETE FROM app.audit_events",
        "TRUNCATE app.audit_events",
        "INSERT INTO app.audit_events (event_id, action) VALUES (gen_random_uuid(), 'x')",
        "SELECT * FROM app.audit_events",
        "DROP TABLE app.audit_events",
        "ALTER TABLE app.audit_events DISABLE TRIGGER ALL",
        "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz LANGUAGE sql AS 'SELECT NULL'",
    ],
)
async def test_no_function_may_do_anything_else_to_it(
    of_role: Database, statement: LiteralString
) -> None:
    with pytest.raises(DatabaseStatementError) as caught:
        async with of_role.autocommit() as tx:
            await tx.execute(statement)

    assert caught.value.facts["sqlstate"] == "42501"


async def test_an_event_falls_with_its_transaction(database: Database) -> None:
    async def append_and_fail() -> None:
        async with database.transaction() as tx:
            await audit_events.append(tx, AuditAction.GRANT_CREATED)
            raise LookupError

    with pytest.raises(LookupError):
        await append_and_fail()

    assert await value(database, COUNT) == 0


def test_no_retention_rule_touches_it() -> None:
    assert not [rule.name for rule in RULES if "audit" in rule.table]


def test_every_action_reads_as_subject_and_event() -> None:
    assert all(action.value.count(":") == 1 for action in AuditAction)
