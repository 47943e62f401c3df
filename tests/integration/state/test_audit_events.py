"""The audit trail stands or falls with the change it reports, and nobody changes it."""

import json
import logging as std_logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.domain.identifiers import GrantId, SessionId, UserId, new_id
from shared.observability import logging
from shared.state import audit_events
from shared.state.audit_events import LINE_MESSAGE, AuditAction
from shared.state.database import CommitUnknownError, Database, DatabaseStatementError
from shared.state.retention import RULES
from shared.state.roles import AppRole
from tests.integration.state.pieces import CLIENT_ID, value

MONTHS: tuple[LiteralString, ...] = (
    "SELECT app.drop_audit_month(13)",
    "SELECT app.audit_heads()",
    "SELECT app.next_audit_part(13, 1)",
    "SELECT app.make_audit_partitions(1)",
    "SELECT app.count_audit_strays()",
)
COUNT = "SELECT count(*) FROM app.audit_events"


@pytest.fixture(params=AppRole)
async def of_role(database_url: str, request: pytest.FixtureRequest) -> AsyncIterator[Database]:
    database = Database(make_conninfo(database_url, user=request.param.value))
    yield database
    await database.close()


@pytest.fixture
async def other(database_url: str) -> AsyncIterator[Database]:
    """Another environment's connection."""
    opened = Database(database_url)
    yield opened
    await opened.close()


Lines = Callable[[], list[dict[str, Any]]]


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator[Lines]:
    """What was logged of appends since the last look."""
    root = std_logging.getLogger()
    handlers, level = root.handlers, root.level
    logging.configure(service="tests", level="INFO", stage="local", release="r1")

    def since_the_last_look() -> list[dict[str, Any]]:
        written = capsys.readouterr().out.splitlines()
        return [json.loads(line) for line in written if LINE_MESSAGE in line]

    yield since_the_last_look
    root.handlers, root.level = handlers, level
    logging.log.use(std_logging.getLogger("drupalize_mcp"))


APPENDING = sorted(set(AppRole) - {AppRole.REPORT})


@pytest.mark.parametrize("of_role", APPENDING, indirect=True)
async def test_whoever_changes_something_may_append(database: Database, of_role: Database) -> None:
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


async def test_months_are_the_business_of_the_cleanup_only(database_url: str) -> None:
    for role in (AppRole.OAUTH, AppRole.MCP_ENDPOINT, AppRole.TOKEN_REFRESH):
        database = Database(make_conninfo(database_url, user=role.value))
        for statement in MONTHS:
            with pytest.raises(DatabaseStatementError) as caught:
                async with database.autocommit() as tx:
                    await tx.execute(statement)
            assert caught.value.facts["sqlstate"] == "42501"
        await database.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE app.audit_archived_parts SET events = 0",
        "DELETE FROM app.audit_archived_parts",
        "SELECT * FROM app.audit_months()",
        "UPDATE app.audit_events SET action = 'x'",
        "DELETE FROM app.audit_events",
        "TRUNCATE app.audit_events",
        "INSERT INTO app.audit_events (event_id, action) VALUES (gen_random_uuid(), 'x')",
        "SELECT * FROM app.audit_events",
        "UPDATE app.audit_events_default SET action = 'x'",
        "DELETE FROM app.audit_events_default",
        "TRUNCATE app.audit_events_default",
        "INSERT INTO app.audit_events_default (event_id) VALUES (gen_random_uuid())",
        "UPDATE app.audit_chains SET sequence = 0",
        "DELETE FROM app.audit_chains",
        "TRUNCATE app.audit_chains",
        "SELECT * FROM app.audit_chains FOR UPDATE",
        "SELECT app.take_audit_chain()",
        "SELECT app.link_audit_event(NULL, NULL)",
        "SELECT app.make_audit_partition('2020-01-01')",
        "ALTER TABLE app.audit_events DETACH PARTITION app.audit_events_default",
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


async def test_an_append_tells_its_place_when_it_is_committed(
    database: Database, lines: Lines
) -> None:
    async with database.transaction() as tx:
        for action in (AuditAction.GRANT_CREATED, AuditAction.CODE_REDEEMED):
            await audit_events.append(tx, action)
        before = lines()
    told = lines()
    async with database.autocommit() as tx:
        await audit_events.append(tx, AuditAction.ACCOUNT_SIGNED_OUT)
        told += lines()
        rows = await tx.rows("SELECT chain, sequence, hash FROM app.audit_events")

    assert before == []
    assert {one["audit_committed"] for one in told} == {"yes"}
    assert {(one["audit_chain"], one["audit_sequence"], one["audit_hash"]) for one in told} == {
        (row["chain"], row["sequence"], bytes(row["hash"]).hex()) for row in rows
    }
    assert len(told) == len(rows) == 3


async def test_what_was_not_committed_is_not_told(database: Database, lines: Lines) -> None:
    async def append_and_fail() -> None:
        async with database.transaction() as tx:
            await audit_events.append(tx, AuditAction.GRANT_CREATED)
            raise LookupError

    with pytest.raises(LookupError):
        await append_and_fail()

    assert lines() == []


async def test_a_commit_without_answer_is_told_as_unknown(
    database: Database, database_admin: psycopg.Connection[Any], lines: Lines
) -> None:
    async def append_and_lose_the_connection() -> None:
        async with database.transaction() as tx:
            await audit_events.append(tx, AuditAction.GRANT_CREATED)
            database_admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE state = 'idle in transaction' AND datname = current_database()"
            )

    with pytest.raises(CommitUnknownError):
        await append_and_lose_the_connection()

    assert [one["audit_committed"] for one in lines()] == ["unknown"]


async def test_events_of_one_transaction_stand_in_one_chain_and_others_elsewhere(
    database: Database, other: Database
) -> None:
    async with database.transaction() as tx:
        for _ in range(3):
            await audit_events.append(tx, AuditAction.CODE_REDEEMED)
        async with other.transaction() as beside:
            await audit_events.append(beside, AuditAction.GRANT_CREATED)

    async with database.autocommit() as tx:
        rows = await tx.rows(
            "SELECT action, chain, sequence FROM app.audit_events ORDER BY sequence"
        )
    redeemed = [row for row in rows if row["action"] == "code:redeemed"]
    assert {row["chain"] for row in rows} > {row["chain"] for row in redeemed}
    assert len({row["chain"] for row in redeemed}) == 1
    assert [row["sequence"] for row in redeemed] == [1, 2, 3]


def test_no_retention_rule_touches_it() -> None:
    assert not [rule.name for rule in RULES if "audit" in rule.table]


def test_every_action_reads_as_subject_and_event() -> None:
    assert all(action.value.count(":") == 1 for action in AuditAction)
