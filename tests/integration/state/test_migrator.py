"""A database comes to the schema of this code, however often and by however many it is told to."""

import asyncio
import threading

import psycopg
import pytest

from shared.state.migrator import Migration, MigrationChangedError, all_migrations, migrate
from shared.state.roles import (
    IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS,
    LOCK_TIMEOUT_MILLISECONDS,
    STATEMENT_TIMEOUT_MILLISECONDS,
    AppRole,
    ensure_roles,
)

FIRST = Migration("0001_first.sql", "CREATE TABLE app.one (n integer)")
SECOND = Migration("0002_second.sql", "CREATE TABLE app.two (n integer)")
BROKEN = Migration(SECOND.name, "CREATE TABLE app.two (n integer); SELECT 1 / 0")
ENDED_MIDWAY = Migration(
    SECOND.name,
    "CREATE TABLE app.two (n integer); SELECT pg_terminate_backend(pg_backend_pid())",
)


def tables(conninfo: str) -> set[str]:
    with psycopg.connect(conninfo) as connection:
        rows = connection.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'app'"
        ).fetchall()
    return {name for (name,) in rows} - {"schema_migrations"}


def test_an_empty_database_gets_every_migration_and_then_none(empty_database: str) -> None:
    names = [one.name for one in all_migrations()]

    assert migrate(empty_database) == names
    assert migrate(empty_database) == []
    assert {"grants", "sessions", "audit_events"} <= tables(empty_database)


def test_migrations_apply_in_the_order_of_their_numbers() -> None:
    numbers = [int(one.name.split("_")[0]) for one in all_migrations()]

    # Numbers are given out when work begins and files come in when it ends: gaps are no fault.
    assert numbers == sorted(set(numbers))
    assert numbers[0] == 1


async def test_of_two_migrators_at_once_each_file_is_applied_by_one(empty_database: str) -> None:
    start = threading.Barrier(2)

    def run() -> list[str]:
        start.wait(timeout=10)
        return migrate(empty_database)

    applied = await asyncio.gather(asyncio.to_thread(run), asyncio.to_thread(run))

    assert sorted(name for names in applied for name in names) == [
        one.name for one in all_migrations()
    ]


def test_a_migration_edited_after_it_was_applied_is_refused(empty_database: str) -> None:
    migrate(empty_database, migrations=[FIRST])
    edited = Migration(FIRST.name, FIRST.statements + " -- edited")

    with pytest.raises(MigrationChangedError, match=FIRST.name):
        migrate(empty_database, migrations=[edited, SECOND])

    assert tables(empty_database) == {"one"}


@pytest.mark.parametrize("interrupted", [BROKEN, ENDED_MIDWAY], ids=["fails", "is cut off"])
def test_a_migration_that_does_not_finish_leaves_nothing_and_is_run_again(
    empty_database: str, interrupted: Migration
) -> None:
    with pytest.raises(psycopg.Error):
        migrate(empty_database, migrations=[FIRST, interrupted])
    assert tables(empty_database) == {"one"}

    assert migrate(empty_database, migrations=[FIRST, SECOND]) == [SECOND.name]
    assert tables(empty_database) == {"one", "two"}


def test_roles_get_their_timeouts(fresh_database: str) -> None:
    migrate(fresh_database, app_roles=dict.fromkeys(AppRole))

    with psycopg.connect(fresh_database) as connection:
        found = connection.execute("SELECT rolname, rolconfig FROM pg_roles").fetchall()
    set_for = {str(name): settings for name, settings in found}
    for role in AppRole:
        assert set(set_for[role.value]) == {
            f"statement_timeout={STATEMENT_TIMEOUT_MILLISECONDS[role]}",
            f"lock_timeout={LOCK_TIMEOUT_MILLISECONDS}",
            f"idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_TIMEOUT_MILLISECONDS}",
        }


async def test_migrators_of_two_databases_of_one_server_share_the_roles(
    fresh_database: str, database_url: str
) -> None:
    start = threading.Barrier(2)

    def run(conninfo: str) -> None:
        start.wait(timeout=10)
        for _ in range(3):
            migrate(conninfo, app_roles=dict.fromkeys(AppRole))

    await asyncio.gather(
        asyncio.to_thread(run, fresh_database), asyncio.to_thread(run, database_url)
    )


def test_a_password_is_never_in_a_statement(fresh_database: str) -> None:
    statements: list[str] = []
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.add_notice_handler(lambda note: statements.append(note.message_primary or ""))
        connection.execute("SET client_min_messages = log; SET log_statement = 'all'")

        ensure_roles(connection, {AppRole.OAUTH: "a made-up password"})

        connection.execute("ALTER ROLE app_oauth PASSWORD NULL")
    setting = [one for one in statements if "PASSWORD '" in one]
    assert len(setting) == 1
    assert "SCRAM-SHA-256$" in setting[0]
    assert "a made-up password" not in "".join(statements)


def test_a_privilege_given_by_hand_is_gone_after_the_next_migration(fresh_database: str) -> None:
    role = AppRole.MCP_ENDPOINT.value
    asked = (
        "SELECT has_table_privilege(%(role)s, 'app.sign_ins', 'DELETE'),"
        " has_column_privilege(%(role)s, 'app.refresh_tokens', 'token_hash', 'SELECT')"
    )
    with psycopg.connect(fresh_database, autocommit=True) as connection:
        connection.execute("GRANT DELETE ON app.sign_ins TO app_mcp_endpoint")
        connection.execute("GRANT SELECT (token_hash) ON app.refresh_tokens TO app_mcp_endpoint")
        before = connection.execute(asked, {"role": role}).fetchone()
        migrate(fresh_database, app_roles=dict.fromkeys(AppRole))
        after = connection.execute(asked, {"role": role}).fetchone()

    assert before == (True, True)
    assert after == (False, False)
