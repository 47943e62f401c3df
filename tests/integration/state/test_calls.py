"""The one look-up before a call, and the one row after it."""

from dataclasses import replace

import pytest

from shared.domain.identifiers import GrantId, UserId, new_id
from shared.domain.known_clients import ClientFamily
from shared.domain.sessions import EndCause
from shared.domain.tokens import TokenHash
from shared.domain.usage import Entitlement, Searched
from shared.state import calls, grants, sessions
from shared.state.calls import CallRecord, EndedCall, UsageRow
from shared.state.database import Database
from tests.integration.state.pieces import (
    CLIENT_ID,
    HOUR,
    PAIR,
    REQUEST,
    RESOURCE,
    StoredSession,
    a_hash,
    add_grant,
    add_session,
    value,
)
from tests.support.clock import DatabaseClock


async def look(database: Database, access_hash: TokenHash) -> CallRecord | None:
    async with database.autocommit() as tx:
        return await calls.authenticate(tx, access_hash)


@pytest.fixture
async def session(database: Database) -> StoredSession:
    return await add_session(database, access_seconds=HOUR)


async def test_one_look_up_tells_all_that_a_call_needs(
    database: Database, session: StoredSession
) -> None:
    found = await look(database, session.access_hash)

    assert found is not None
    assert (found.resource, found.session_ended, found.grant_ended) == (RESOURCE, False, False)
    assert not found.token_expired
    assert found.call is not None
    assert (found.call.client_id, found.call.client_name) == (CLIENT_ID, "A client")
    assert found.call.scopes == REQUEST.scopes
    assert (found.call.grant.grant_id, found.call.grant.pair) == (session.grant_id, PAIR)


async def test_an_unknown_token_tells_nothing(database: Database, session: StoredSession) -> None:
    assert await look(database, a_hash()) is None
    assert await look(database, session.refresh_hash) is None


async def test_expired_and_ended_are_told_apart(
    database: Database, session: StoredSession, clock: DatabaseClock
) -> None:
    clock.advance(HOUR + 5)
    expired = await look(database, session.access_hash)
    async with database.transaction() as tx:
        await sessions.end(tx, session_id=session.session_id, cause=EndCause.REVOKED_BY_CLIENT)
    ended = await look(database, session.access_hash)
    async with database.transaction() as tx:
        await grants.end(tx, grant_id=session.grant_id, cause=EndCause.EXPIRED)
        await grants.forget_pair(tx, session.grant_id)
    gone = await look(database, session.access_hash)

    assert expired is not None
    assert ended is not None
    assert gone is not None
    assert (expired.token_expired, expired.session_ended) == (True, False)
    assert (ended.session_ended, ended.grant_ended) == (True, False)
    assert (gone.grant_ended, gone.call) == (True, None)


async def test_an_ended_call_leaves_one_row_and_that_the_person_was_here(
    database: Database, session: StoredSession, clock: DatabaseClock
) -> None:
    async def close(outcome: str) -> None:
        async with database.autocommit() as tx:
            await calls.close(
                tx,
                EndedCall(
                    user_id=UserId(new_id()),
                    grant_id=session.grant_id,
                    call_id=None,
                    usage=UsageRow(
                        tool="search_tutorials",
                        outcome=outcome,
                        content_id=None,
                        result_count=3,
                        duration_milliseconds=12,
                    ),
                ),
            )

    seen = "SELECT last_used_at FROM app.grants"
    created = await value(database, seen)
    await close("ok")
    soon = await value(database, seen)
    clock.advance(HOUR)
    await close("unavailable")

    # Seldom, so that a busy person's grant is not rewritten at every call.
    assert soon == created
    assert await value(database, seen) > created
    async with database.autocommit() as tx:
        rows = await tx.rows("SELECT * FROM app.usage_events ORDER BY occurred_at")
    assert [row["outcome"] for row in rows] == ["ok", "unavailable"]
    assert {(row["tool"], row["result_count"], row["client_id"]) for row in rows} == {
        ("search_tutorials", 3, CLIENT_ID)
    }


SEARCH = UsageRow(
    tool="search_tutorials",
    outcome="ok",
    content_id=None,
    result_count=3,
    duration_milliseconds=12,
    searched=Searched(query="views", offset=10, content_ids=("7", "8", "9")),
    may_read=True,
)
READING = UsageRow(
    tool="get_tutorial",
    outcome="ok",
    content_id="8",
    result_count=1,
    duration_milliseconds=30,
    entitlement=Entitlement.ALLOWED,
    may_read=True,
)


async def close_as(database: Database, grant_id: GrantId, usage: UsageRow) -> None:
    """Close a call of that grant."""
    async with database.autocommit() as tx:
        ended = EndedCall(user_id=UserId(new_id()), grant_id=grant_id, call_id=None, usage=usage)
        await calls.close(tx, ended)


async def ranks(database: Database) -> list[tuple[str, int | None]]:
    """Content and rank of every reading, in the order in which they were noted."""
    async with database.autocommit() as tx:
        rows = await tx.rows(
            "SELECT content_id, search_rank FROM app.usage_events"
            " WHERE content_id IS NOT NULL ORDER BY occurred_at, event_id"
        )
    return [(row["content_id"], row["search_rank"]) for row in rows]


async def test_a_reading_is_noted_with_its_rank_in_the_search_that_led_to_it(
    database: Database,
) -> None:
    grant_id = await add_grant(database, client_family=ClientFamily.CURSOR)
    await close_as(database, grant_id, SEARCH)
    await close_as(database, grant_id, READING)
    await close_as(database, grant_id, replace(READING, content_id="77"))
    await close_as(database, grant_id, replace(READING, content_id="9", continues=True))

    assert await ranks(database) == [("8", 12), ("77", None), ("9", None)]
    async with database.autocommit() as tx:
        search, reading, *_ = await tx.rows("SELECT * FROM app.usage_events ORDER BY occurred_at")
    assert (search["query"], search["first_rank"], search["may_read"]) == ("views", 11, True)
    assert reading["search_id"] == search["event_id"]
    assert (reading["entitlement"], reading["client_family"]) == ("allowed", "cursor")


async def test_only_what_the_person_found_themselves_and_lately_counts_as_chosen(
    database: Database, clock: DatabaseClock
) -> None:
    mine, another = await add_grant(database), await add_grant(database)
    await close_as(database, mine, SEARCH)
    await close_as(database, another, READING)
    clock.advance(calls.CHOSEN_WITHIN_SECONDS + 1)
    await close_as(database, mine, READING)

    assert await ranks(database) == [("8", None), ("8", None)]


async def test_a_reading_is_looked_for_in_the_latest_twenty_searches_only(
    database: Database,
) -> None:
    grant_id = await add_grant(database)
    await close_as(database, grant_id, SEARCH)
    other = replace(SEARCH, searched=Searched(query="other", offset=0, content_ids=("1",)))
    for _ in range(19):
        await close_as(database, grant_id, other)
    await close_as(database, grant_id, READING)
    await close_as(database, grant_id, other)
    await close_as(database, grant_id, READING)

    assert await ranks(database) == [("8", 12), ("8", None)]
