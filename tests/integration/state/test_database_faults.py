"""What happens when the server or the way to it breaks."""

import asyncio
import time
import traceback
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.domain.identifiers import UpstreamSubject, UserId, new_id
from shared.state import users
from shared.state.connection import CHECK_AFTER_IDLE_SECONDS
from shared.state.database import (
    CommitUnknownError,
    Database,
    DatabaseStatementError,
    DatabaseUnavailableError,
)
from tests.integration.state.pieces import SITE, value
from tests.integration.state.test_database import ADD_KEY, COUNT_KEYS, OWN_PROCESS
from tests.support.breakable_link import BreakableLink, breakable_link

Admin = psycopg.Connection[Any]


@pytest.fixture
async def link(database_url: str) -> AsyncIterator[BreakableLink]:
    address = conninfo_to_dict(database_url)
    async with breakable_link(str(address["host"]), int(str(address["port"]))) as running:
        yield running


@pytest.fixture
async def linked(database_url: str, link: BreakableLink) -> AsyncIterator[Database]:
    """One connection at most, over the link."""
    conninfo = make_conninfo(database_url, host="127.0.0.1", port=link.port, sslmode="disable")
    database = Database(conninfo, connect_timeout_seconds=1, statement_timeout_seconds=0.5)
    yield database
    await database.close()


def end_process(admin: Admin, process: int) -> None:
    row = admin.execute("SELECT pg_terminate_backend(%s, 5000)", [process]).fetchone()
    assert row == (True,)


def let_rest(database: Database) -> None:
    """As if the idle connections had not been used for longer than is trusted."""
    long_ago = CHECK_AFTER_IDLE_SECONDS + 1
    for connection in database._idle:
        connection._rested_at = (time.monotonic() - long_ago, time.time() - long_ago)


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_a_connection_that_died_at_rest_is_replaced_unnoticed(
    database: Database, database_admin: Admin, *, in_transaction: bool
) -> None:
    dead = await value(database, OWN_PROCESS)
    end_process(database_admin, dead)

    opened = database.transaction() if in_transaction else database.autocommit()
    async with opened as tx:
        added = await tx.execute(ADD_KEY, {"generation": 1})

    assert added == 1
    assert await value(database, OWN_PROCESS) != dead
    assert await value(database, COUNT_KEYS) == 1


@pytest.mark.parametrize("in_transaction", [True, False])
async def test_a_link_that_went_dead_at_rest_is_found_out_before_the_first_statement(
    linked: Database, link: BreakableLink, *, in_transaction: bool
) -> None:
    await value(linked, "SELECT 1")
    let_rest(linked)
    link.silence()

    opened = linked.transaction() if in_transaction else linked.autocommit()
    async with opened as tx:
        await tx.execute(ADD_KEY, {"generation": 1})

    assert link.accepted == 2
    assert await value(linked, COUNT_KEYS) == 1


async def test_a_fresh_connection_is_used_without_a_check(
    linked: Database, link: BreakableLink
) -> None:
    first = await value(linked, OWN_PROCESS)
    second = await value(linked, OWN_PROCESS)

    assert first == second
    assert link.accepted == 1


async def test_a_long_rest_by_either_clock_asks_for_a_sign_of_life(linked: Database) -> None:
    await value(linked, "SELECT 1")
    (connection,) = linked._idle
    monotonic, wall = connection._rested_at
    long = CHECK_AFTER_IDLE_SECONDS + 1

    suspects = [connection.suspect]
    for rested_at in ((monotonic - long, wall), (monotonic, wall - long)):
        connection._rested_at = rested_at
        suspects.append(connection.suspect)

    assert suspects == [False, True, True]


async def test_there_is_only_one_reconnect(database_admin: Admin, database_url: str) -> None:
    accepted = 0

    async def refuse(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal accepted
        accepted += 1
        writer.close()

    database = Database(database_url)
    end_process(database_admin, await value(database, OWN_PROCESS))
    server = await asyncio.start_server(refuse, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    database._conninfo = make_conninfo(
        database_url, host="127.0.0.1", port=port, sslmode="disable", gssencmode="disable"
    )

    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.transaction():
            pytest.fail("there is no server")
    server.close()

    assert type(caught.value) is DatabaseUnavailableError
    assert accepted == 1


async def test_nothing_moves_to_another_connection_after_the_first_statement(
    linked: Database, link: BreakableLink, database_admin: Admin
) -> None:
    async def lose_the_connection() -> None:
        async with linked.transaction() as tx:
            row = await tx.row(OWN_PROCESS)
            await tx.execute(ADD_KEY, {"generation": 1})
            assert row is not None
            end_process(database_admin, row["pg_backend_pid"])
            await tx.execute(ADD_KEY, {"generation": 2})

    with pytest.raises(DatabaseUnavailableError) as caught:
        await lose_the_connection()

    assert type(caught.value) is DatabaseUnavailableError
    assert link.accepted == 1
    assert await value(linked, COUNT_KEYS) == 0


async def test_a_connection_cut_at_the_commit_leaves_its_outcome_unknown(
    linked: Database, link: BreakableLink
) -> None:
    async def lose_the_answer() -> None:
        async with linked.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            link.cut_after(b"COMMIT")

    with pytest.raises(CommitUnknownError):
        await lose_the_answer()

    assert link.accepted == 1
    # It did happen here: whoever repeated it blindly would do it twice.
    assert await value(linked, COUNT_KEYS) == 1


async def test_a_connection_lost_before_the_commit_leaves_its_outcome_unknown_too(
    linked: Database, database_admin: Admin
) -> None:
    async def lose_the_connection() -> None:
        async with linked.transaction() as tx:
            row = await tx.row(OWN_PROCESS)
            await tx.execute(ADD_KEY, {"generation": 1})
            assert row is not None
            end_process(database_admin, row["pg_backend_pid"])

    with pytest.raises(CommitUnknownError):
        await lose_the_connection()

    assert await value(linked, COUNT_KEYS) == 0


async def test_a_commit_that_is_never_answered_is_unknown_and_ends_in_time(
    linked: Database, link: BreakableLink
) -> None:
    async def wait_for_the_commit() -> None:
        async with linked.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
            link.silence()

    with pytest.raises(CommitUnknownError) as caught:
        await wait_for_the_commit()

    assert caught.value.facts == {"waited_for": "statement"}
    assert await value(linked, "SELECT 1") == 1


async def test_a_link_that_dies_under_a_statement_holds_nobody_up(
    linked: Database, link: BreakableLink
) -> None:
    async with asyncio.timeout(5):

        async def wait_for_a_statement() -> None:
            async with linked.transaction() as tx:
                await tx.execute(ADD_KEY, {"generation": 1})
                link.silence()
                await tx.execute(ADD_KEY, {"generation": 2})

        with pytest.raises(DatabaseUnavailableError):
            await wait_for_a_statement()

        assert await value(linked, "SELECT 1") == 1


async def test_a_server_that_accepts_and_never_answers_holds_nobody_up(database_url: str) -> None:
    connections: list[asyncio.StreamWriter] = []

    async def listen(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(writer)

    server = await asyncio.start_server(listen, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    conninfo = make_conninfo(database_url, host="127.0.0.1", port=port)
    database = Database(conninfo, connect_timeout_seconds=0.2)

    async with asyncio.timeout(5):
        with pytest.raises(DatabaseUnavailableError) as caught:
            await value(database, "SELECT 1")
    server.close()
    for writer in connections:
        writer.close()

    assert caught.value.facts == {"waited_for": "connect"}


async def test_a_server_that_is_no_longer_the_writer_is_left(database: Database) -> None:
    async with database.autocommit() as tx:
        demoted = await tx.row(OWN_PROCESS)
        await tx.execute("SET default_transaction_read_only = on")

    with pytest.raises(DatabaseUnavailableError) as caught:
        async with database.transaction() as tx:
            await tx.execute(ADD_KEY, {"generation": 1})
    async with database.transaction() as tx:
        promoted = await tx.row(OWN_PROCESS)
        await tx.execute(ADD_KEY, {"generation": 1})

    assert caught.value.facts["sqlstate"] == "25006"
    assert demoted != promoted


async def test_a_deadlock_is_passed_on_as_something_that_passes(database: Database) -> None:
    async with database.transaction() as tx:
        await tx.execute(ADD_KEY, {"generation": 1})
        await tx.execute(ADD_KEY, {"generation": 2})
    both_hold = asyncio.Barrier(2)

    async def touch(first: int, second: int) -> None:
        update = "UPDATE app.data_keys SET kms_key_id = 'x' WHERE generation = %(generation)s"
        async with database.transaction() as tx:
            await tx.execute(update, {"generation": first})
            await both_hold.wait()
            await tx.execute(update, {"generation": second})

    results = await asyncio.gather(touch(1, 2), touch(2, 1), return_exceptions=True)

    (failed,) = [one for one in results if one is not None]
    assert isinstance(failed, DatabaseUnavailableError)
    assert not isinstance(failed, CommitUnknownError | DatabaseStatementError)
    assert failed.facts["sqlstate"] == "40P01"


RIVALS = """
    CREATE TEMP SEQUENCE tries;
    CREATE FUNCTION pg_temp.meets_rivals(so_many integer, state text) RETURNS bigint
    LANGUAGE plpgsql AS $$
    DECLARE
        -- No rollback takes back what a sequence has given.
        try bigint := nextval('tries');
    BEGIN
        IF try <= so_many THEN
            RAISE EXCEPTION 'another one is through' USING ERRCODE = state;
        END IF;
        RETURN try;
    END $$
"""
MEET = "SELECT pg_temp.meets_rivals(%(so_many)s, %(state)s) AS try"


@pytest.mark.parametrize("state", ["40001", "40P01"])
async def test_a_statement_that_lost_to_a_rival_is_run_once_more(
    database: Database, state: str
) -> None:
    async with database.autocommit() as tx:
        await tx.execute(RIVALS)
        once = await tx.row(MEET, {"so_many": 1, "state": state})
        with pytest.raises(DatabaseUnavailableError) as twice:
            await tx.row(MEET, {"so_many": 4, "state": state})

    assert once == {"try": 2}
    assert twice.value.facts["sqlstate"] == state


@pytest.mark.parametrize(("state", "inside"), [("40001", True), ("57014", False)])
async def test_no_other_statement_is(database: Database, *, state: str, inside: bool) -> None:
    async with database.autocommit() as tx:
        await tx.execute(RIVALS)
    opened = database.transaction() if inside else database.autocommit()
    with pytest.raises(DatabaseUnavailableError):
        async with opened as tx:
            await tx.row(MEET, {"so_many": 1, "state": state})
    async with database.autocommit() as tx:
        assert await tx.row(MEET, {"so_many": 0, "state": state}) == {"try": 2}


async def test_a_refused_row_is_in_no_traceback(database: Database) -> None:
    salt = b"not 32 bytes"
    with pytest.raises(DatabaseStatementError) as refused:
        async with database.transaction() as tx:
            await users.ensure(
                tx,
                user_id=UserId(new_id()),
                site=SITE,
                subject=UpstreamSubject("subject-of-a-person"),
                salt=salt,
            )

    shown = "".join(traceback.format_exception(refused.value))
    assert refused.value.facts == {"sqlstate": "23514", "constraint": "users_salt_check"}
    assert salt.hex() not in shown
    assert "subject-of-a-person" not in shown
