"""The connection's contract over a healthy server: turns, transactions, errors."""

import asyncio
import socket
import traceback

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.state.database import (
    Database,
    DatabaseStatementError,
    DatabaseUnavailableError,
    NestedTransactionError,
)
from shared.state.roles import AppRole
from tests.integration.state.pieces import CLIENT_ID, add_client, value

CANARY = "canary-of-a-password"
ADD_KEY = "INSERT INTO app.data_keys VALUES (%(generation)s, 'wrapped', 'key')"
COUNT_KEYS = "SELECT count(*) FROM app.data_keys"
OWN_PROCESS = "SELECT pg_backend_pid()"


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


async def test_one_connection_serves_many_coroutines_in_turn(database_url: str) -> None:
    database = Database(database_url, connections_max=1)

    async def own_process() -> int:
        async with database.transaction() as tx:
            first, second = await tx.row(OWN_PROCESS), await tx.row(OWN_PROCESS)
        assert first == second
        assert first is not None
        return int(first["pg_backend_pid"])

    processes = await asyncio.gather(*(own_process() for _ in range(20)))
    await database.close()

    assert len(set(processes)) == 1


async def test_the_wait_for_a_connection_is_bounded(database_url: str) -> None:
    database = Database(database_url, connections_max=1, statement_timeout_seconds=0.2)
    held, leave = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        async with database.transaction():
            held.set()
            await leave.wait()

    holder = asyncio.create_task(hold())
    await held.wait()
    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.transaction():
            pass
    leave.set()
    await holder
    await database.close()

    assert caught.value.facts == {"waited_for": "connection"}


async def test_a_transaction_within_a_transaction_is_refused(database: Database) -> None:
    with pytest.raises(NestedTransactionError):
        async with database.transaction(), database.autocommit():
            pass

    assert await value(database, "SELECT 1") == 1


async def test_an_exception_rolls_back_and_the_connection_goes_on(database_url: str) -> None:
    database = Database(database_url, connections_max=1)
    before = await value(database, OWN_PROCESS)

    async def add_and_fail() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            raise LookupError

    with pytest.raises(LookupError):
        await add_and_fail()

    assert await value(database, COUNT_KEYS) == 0
    assert await value(database, OWN_PROCESS) == before
    await database.close()


async def test_a_cancelled_transaction_leaves_nothing_behind(database: Database) -> None:
    inserted = asyncio.Event()

    async def insert_and_wait() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            inserted.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(insert_and_wait())
    await inserted.wait()
    task.cancel()
    await asyncio.wait({task})

    assert task.cancelled()
    assert await value(database, COUNT_KEYS) == 0


async def test_a_swallowed_error_does_not_pass_for_a_commit(database: Database) -> None:
    async def add_twice() -> None:
        async with database.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            with pytest.raises(DatabaseStatementError):
                await tx.execute(ADD_KEY, {"generation": 1})

    with pytest.raises(DatabaseStatementError) as caught:
        await add_twice()

    assert caught.value.facts == {"commit_status": "ROLLBACK"}
    assert await value(database, COUNT_KEYS) == 0


async def test_a_broken_rule_is_named_and_no_value_is_quoted(database: Database) -> None:
    await add_client(database)

    with pytest.raises(DatabaseStatementError) as caught:
        await add_client(database)

    assert caught.value.facts == {"sqlstate": "23505", "constraint": "clients_pkey"}
    assert CLIENT_ID not in f"{caught.value} {caught.value!r} {caught.value.facts}"


async def test_more_than_one_row_where_one_was_promised_is_an_error(database: Database) -> None:
    with pytest.raises(DatabaseStatementError):
        await value(database, "SELECT generate_series(1, 2) AS n")


async def test_a_slow_statement_is_struck_and_does_not_run_on(database_url: str) -> None:
    database = Database(database_url, statement_timeout_seconds=0.2)

    with pytest.raises(DatabaseUnavailableError) as caught:
        await value(database, "SELECT pg_sleep(30)")

    assert caught.value.facts == {"waited_for": "statement"}
    assert await value(database, "SELECT 1") == 1
    await database.close()


async def test_a_transaction_whose_time_is_over_sends_nothing_more(database: Database) -> None:
    async with database.autocommit() as tx:
        before = await tx.row(OWN_PROCESS)

    with pytest.raises(DatabaseUnavailableError):
        async with database.transaction(timeout_seconds=0) as tx:
            await tx.execute(ADD_KEY, {"generation": 1})

    async with database.autocommit() as tx:
        assert await tx.row(OWN_PROCESS) == before
    assert await value(database, COUNT_KEYS) == 0


async def test_a_deadline_before_the_commit_means_that_it_did_not_happen(
    database: Database,
) -> None:
    async def add_and_dawdle() -> None:
        async with database.transaction(timeout_seconds=0.1) as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            await tx.rows("SELECT pg_sleep(30)")

    with pytest.raises(DatabaseUnavailableError) as caught:
        await add_and_dawdle()

    assert type(caught.value) is DatabaseUnavailableError
    assert await value(database, COUNT_KEYS) == 0


async def test_a_restore_hook_leaves_no_connection_to_be_used_again(database_url: str) -> None:
    database = Database(database_url, connections_max=1)
    first = await value(database, OWN_PROCESS)

    await database.drop_connections()
    second = await value(database, OWN_PROCESS)
    async with database.transaction() as tx:
        database.forget_connections()
        row = await tx.row(OWN_PROCESS)
    third = await value(database, OWN_PROCESS)
    await database.close()

    assert row == {"pg_backend_pid": second}
    assert len({first, second, third}) == 3


def test_a_new_event_loop_starts_with_new_connections(database_url: str) -> None:
    database = Database(database_url, connections_max=1)

    first = asyncio.run(value(database, OWN_PROCESS))
    second = asyncio.run(value(database, OWN_PROCESS))
    asyncio.run(database.close())

    assert first != second


async def test_no_server_means_unavailable_and_says_nothing_of_the_address(free_port: int) -> None:
    database = Database(
        make_conninfo(host="127.0.0.1", port=free_port, user="somebody", password=CANARY)
    )

    with pytest.raises(DatabaseUnavailableError) as caught:
        await value(database, "SELECT 1")

    said = "".join(traceback.format_exception(caught.value))
    assert CANARY not in f"{said} {caught.value!r} {caught.value.facts} {database!r}"
    assert "somebody" not in f"{caught.value} {caught.value!r} {caught.value.facts}"


async def test_no_connection_left_at_the_server_means_unavailable(fresh_database: str) -> None:
    name = psycopg.conninfo.conninfo_to_dict(fresh_database)["dbname"]
    with psycopg.connect(fresh_database, autocommit=True) as admin:
        admin.execute(
            psycopg.sql.SQL("ALTER DATABASE {} CONNECTION LIMIT 0").format(
                psycopg.sql.Identifier(str(name))
            )
        )
    database = Database(make_conninfo(fresh_database, user=AppRole.OAUTH.value, password=CANARY))

    with pytest.raises(DatabaseUnavailableError) as caught:
        await value(database, "SELECT 1")

    assert caught.value.retry_after_seconds
    assert CANARY not in "".join(traceback.format_exception(caught.value))


async def test_a_closed_database_keeps_no_connection_of_who_comes_late(database_url: str) -> None:
    database = Database(database_url)
    await database.close()

    async with database.autocommit() as tx:
        rows = await tx.rows("SELECT pg_backend_pid() AS pid")
        late = int(rows[0]["pid"])
    other = Database(database_url)
    async with other.autocommit() as tx:
        rows = await tx.rows(
            "SELECT count(*) AS n FROM pg_stat_activity WHERE pid = %(pid)s", {"pid": late}
        )

    assert rows[0]["n"] == 0
    await other.close()
