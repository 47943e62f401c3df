"""A change without its audit event is counted at night."""

import json
from collections.abc import AsyncIterator
from typing import Any, LiteralString

import psycopg
import pytest

from functions.cleanup.audit_reconciliation import AuditReconciliation
from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.state import audit_coverage, audit_events, grants
from shared.state.audit_events import AuditAction
from shared.state.database import Database, Transaction
from shared.workflows.end_grant import end_grant
from tests.integration.state.pieces import add_grant, add_session, open_session

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

    assert done["changes_audited"] == 4
    assert done["changes_not_audited"] == 0


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

    assert done["changes_audited"] == 0
    assert done["changes_not_audited"] == 4
    written = [line for line in capsys.readouterr().out.splitlines() if "AuditedChanges" in line]
    counted = {line["outcome"]: line["AuditedChanges"] for line in map(json.loads, written)}
    assert counted == {"covered": [0.0], "missing": [4.0]}


KINDS: dict[str, LiteralString] = {
    "grant:created": "UPDATE app.grants SET created_at = {at}",
    "code:redeemed": "UPDATE app.sessions SET created_at = {at}",
    "session:refreshed": "INSERT INTO app.refresh_tokens (token_hash, session_id, sequence,"
    " issued_at, expires_at) SELECT sha256('x'), session_id, 99, {at}, app.now()"
    " FROM app.sessions",
    "upstream:refreshed": "INSERT INTO app.refresh_attempts (attempt_id, grant_id,"
    " pair_generation, finished_at, outcome)"
    " SELECT gen_random_uuid(), grant_id, 1, {at}, 'refreshed' FROM app.grants",
    "account:signed_in": "INSERT INTO app.account_visits (visit_hash, user_id, created_at,"
    " idle_ends_at, ends_at) SELECT sha256('x'), user_id, {at}, app.now(), app.now()"
    " FROM app.users",
    "client:registered": "UPDATE app.clients SET created_at = {at}",
    "client:blocked": "UPDATE app.clients SET blocked_at = {at}",
    "data_key:made": "UPDATE app.data_keys SET created_at = {at}",
    "person:erasure_requested": "UPDATE app.users SET erasure_requested_at = {at}",
    "person:erased": "UPDATE app.users SET erased_at = {at}, salt = NULL",
    "circuit:forced": "INSERT INTO app.circuits (dependency, state, changed_at)"
    " VALUES ('drupal_rpc', 'forced_open', {at})",
    "grant:ended": "UPDATE app.sessions SET ended_at = {at}, ended_cause = 'expired'",
}


async def test_every_kind_of_change_that_keeps_its_time_is_missed_without_its_event(
    database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await add_session(database)
    database_admin.execute("UPDATE app.clients SET kind = 'dynamic'")
    for statement in KINDS.values():
        database_admin.execute(statement.replace("{at}", "app.now() - interval '1 hour'"))

    async with database.autocommit() as tx:
        found = await audit_coverage.of_a_day(tx)

    assert {one.action: one.missing for one in found} == dict.fromkeys(KINDS, 1)
    assert all(one.changes == one.missing for one in found)


USED = """
    INSERT INTO app.usage_events (event_id, occurred_at, user_id, client_id, tool, outcome,
                                  duration_milliseconds)
    SELECT gen_random_uuid(), app.now() - make_interval(mins => %(minutes)s), user_id, client_id,
           %(tool)s, %(outcome)s, 1 FROM app.grants
"""


async def test_calls_without_a_grant_or_a_permission_are_counted_as_bypasses(
    database: Database, database_admin: psycopg.Connection[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    await add_session(database)
    an_hour_ago(database_admin)
    database_admin.execute("UPDATE app.sessions SET scopes = '{tutorial:search}'")
    for minutes, tool, outcome in (
        (30, "search_tutorials", "ok"),
        (30, "account_status", "ok"),
        (30, "get_tutorial", "insufficient_scope"),
        # From here on with no right to it: before the grant, and beyond its permissions.
        (90, "search_tutorials", "ok"),
        (30, "get_tutorial", "ok"),
        (30, "site_tool", "ok"),
    ):
        database_admin.execute(USED, {"minutes": minutes, "tool": tool, "outcome": outcome})
    metrics.flush()
    capsys.readouterr()

    done = await AuditReconciliation(database, time_of_day=at_night).run()
    metrics.flush()

    assert (done["calls_compared"], done["calls_bypassing"]) == (5, 3)
    written = [line for line in capsys.readouterr().out.splitlines() if "Bypasses" in line]
    assert [json.loads(line)["AuthorizationBypasses"] for line in written] == [[3.0]]


async def test_a_call_that_ends_just_after_its_grant_is_no_bypass(
    database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    session = await add_session(database)
    an_hour_ago(database_admin)
    async with database.transaction() as tx:
        await end_grant(tx, grant_id=session.grant_id, cause=EndCause.EXPIRED)
    for table in ("grants", "sessions"):
        database_admin.execute(
            f"UPDATE app.{table} SET ended_at = app.now() - interval '30 minutes'"  # noqa: S608 - literals
        )
    for minutes in (29, 20):
        used = {"minutes": minutes, "tool": "account_status", "outcome": "ok"}
        database_admin.execute(USED, used)

    done = await AuditReconciliation(database, time_of_day=at_night).run()

    assert (done["calls_compared"], done["calls_bypassing"]) == (2, 1)


async def test_it_looks_once_a_night(database: Database) -> None:
    assert await AuditReconciliation(database, time_of_day=by_day).run() == {}
