"""What people's searches have found: each person their own, so many, for a day."""

from dataclasses import replace

import pytest

from shared.domain.content import SearchHit, SearchPage, SearchQuery
from shared.domain.identifiers import UserId
from shared.state import content_cache, erasures, kept_searches
from shared.state.database import Database
from shared.state.kept_searches import KEPT_SECONDS_MAX, SEARCHES_PER_PERSON_MAX
from shared.state.roles import AppRole
from tests.integration.state.pieces import add_grant, grant_row, value
from tests.integration.state.test_roles import As, as_role
from tests.support.clock import DatabaseClock

__all__ = ["as_role"]

QUERY = SearchQuery(keywords="views", types=("guide",), limit=5)
PAGE = SearchPage(
    hits=(
        SearchHit(
            content_id="7",
            title="Ä title",
            url="https://site.example/7",
            score=1.5,
            drupal_versions=("10", "11"),
        ),
    ),
    total=12,
    offset=0,
)


async def person(database: Database) -> UserId:
    return UserId((await grant_row(database, await add_grant(database)))["user_id"])


async def keep(database: Database, reader: UserId, query: SearchQuery = QUERY) -> None:
    text = kept_searches.text_of(PAGE)
    assert text is not None
    async with database.autocommit() as tx:
        await kept_searches.keep(tx, reader, query, text)


async def found(
    database: Database,
    reader: UserId,
    query: SearchQuery = QUERY,
    *,
    seconds_max: float = KEPT_SECONDS_MAX,
) -> SearchPage | None:
    async with database.autocommit() as tx:
        return await kept_searches.find(tx, reader, query, seconds_max=seconds_max)


@pytest.fixture
async def reader(database: Database) -> UserId:
    return await person(database)


async def test_a_person_gets_what_their_search_found_with_its_age(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    await keep(database, reader)
    clock.advance(600)
    page = await found(database, reader)

    assert page is not None
    assert replace(page, age_seconds=None) == PAGE
    assert page.age_seconds == pytest.approx(600, abs=30)


async def test_nobody_gets_another_s_results_nor_those_of_another_search(
    database: Database, reader: UserId
) -> None:
    other = await person(database)
    await keep(database, reader)

    assert await found(database, other) is None
    assert await found(database, reader, replace(QUERY, offset=5)) is None


async def test_what_was_searched_for_is_not_stored(database: Database, reader: UserId) -> None:
    await keep(database, reader, replace(QUERY, keywords="a-secret-of-mine"))

    row = await value(database, "SELECT to_jsonb(k)::text FROM app.kept_searches k")
    assert "a-secret-of-mine" not in row


async def test_results_are_over_after_the_time_that_was_asked_for_and_after_a_day(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    await keep(database, reader)
    clock.advance(120)
    assert await found(database, reader, seconds_max=60) is None
    assert await found(database, reader, seconds_max=10 * KEPT_SECONDS_MAX) is not None
    clock.advance(KEPT_SECONDS_MAX)
    assert await found(database, reader, seconds_max=10 * KEPT_SECONDS_MAX) is None


async def test_a_person_keeps_the_last_searches_and_a_long_page_is_not_kept(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    for number in range(SEARCHES_PER_PERSON_MAX + 2):
        await keep(database, reader, replace(QUERY, offset=number))
        clock.advance(1)
    long = replace(PAGE, hits=(replace(PAGE.hits[0], summary="x" * 100_000),))

    assert await value(database, "SELECT count(*) FROM app.kept_searches") == 30
    assert await found(database, reader, replace(QUERY, offset=1)) is None
    assert await found(database, reader, replace(QUERY, offset=2)) is not None
    assert kept_searches.text_of(long) is None


async def test_a_refused_person_s_results_go_with_what_they_were_shown(
    database: Database, reader: UserId, as_role: As
) -> None:
    own, other = as_role(AppRole.MCP_ENDPOINT), await person(database)
    for one in (reader, other):
        await keep(own, one)
    async with own.autocommit() as tx:
        await content_cache.forget(tx, reader, "7")
    one_item_refused = await found(own, reader)
    async with own.autocommit() as tx:
        await content_cache.forget(tx, reader, None)
        await kept_searches.forget(tx, other)

    assert one_item_refused is not None
    assert [await found(own, one) for one in (reader, other)] == [None, None]


async def test_an_erasure_deletes_them(database: Database, reader: UserId) -> None:
    other = await person(database)
    for one in (reader, other):
        await keep(database, one)
    async with database.transaction() as tx:
        await erasures.begin(tx, reader)

    assert await found(database, reader) is None
    assert await found(database, other) is not None
