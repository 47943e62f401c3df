"""What people were shown: bodies once, each person their own, so many, for a day."""

from dataclasses import replace

import pytest

from shared.domain.content import Document
from shared.domain.identifiers import UserId
from shared.state import content_cache
from shared.state.content_cache import ITEMS_PER_PERSON_MAX, SHOWN_HOURS_MAX
from shared.state.database import Database
from shared.state.roles import AppRole
from tests.integration.state.pieces import HOUR, add_grant, grant_row, value
from tests.integration.state.test_roles import As, as_role
from tests.support.clock import DatabaseClock

__all__ = ["as_role"]

DOCUMENT = Document(
    content_id="7",
    title="Write a plugin",
    url="https://site.example/7",
    markdown="First paragraph. Ä\n\nSecond.",
    drupal_versions=("10", "11"),
)


async def person(database: Database) -> UserId:
    row = await grant_row(database, await add_grant(database))
    return UserId(row["user_id"])


async def show(database: Database, reader: UserId, document: Document = DOCUMENT) -> None:
    text = content_cache.text_of(document)
    assert text is not None
    async with database.autocommit() as tx:
        await content_cache.note(tx, reader, document.content_id, text)


async def copy(database: Database, reader: UserId, content_id: str = "7") -> Document | None:
    async with database.autocommit() as tx:
        return await content_cache.find(tx, reader, content_id)


@pytest.fixture
async def reader(database: Database) -> UserId:
    return await person(database)


async def test_a_person_gets_what_they_were_shown_with_its_age(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    await show(database, reader)
    clock.advance(600)
    found = await copy(database, reader)

    assert found is not None
    assert replace(found, age_seconds=None) == DOCUMENT
    assert found.age_seconds == pytest.approx(600, abs=30)


async def test_nobody_gets_what_another_was_shown(database: Database, reader: UserId) -> None:
    other = await person(database)
    await show(database, reader)

    assert await copy(database, other) is None
    assert await copy(database, reader, "8") is None


async def test_a_body_is_stored_once_whoever_reads_it(database: Database, reader: UserId) -> None:
    for one in (reader, await person(database), reader):
        await show(database, one)

    assert await value(database, "SELECT count(*) FROM app.content_bodies") == 1
    assert await value(database, "SELECT count(*) FROM app.content_shown") == 2


async def test_a_row_is_written_when_the_body_changes_or_an_hour_has_passed(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    version = "SELECT xmin::text || ctid::text FROM app.content_shown"
    await show(database, reader)
    first = await value(database, version)
    clock.advance(HOUR / 2)
    await show(database, reader)
    same = await value(database, version)
    clock.advance(HOUR)
    await show(database, reader)
    later = await value(database, version)
    await show(database, reader, replace(DOCUMENT, markdown="Other text."))
    found = await copy(database, reader)

    assert first == same != later
    assert found is not None
    assert found.markdown == "Other text."


async def test_it_is_over_after_a_day(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    await show(database, reader)
    clock.advance(SHOWN_HOURS_MAX * HOUR - 60)
    assert await copy(database, reader) is not None
    clock.advance(120)
    assert await copy(database, reader) is None


async def test_a_person_keeps_what_was_shown_last(
    database: Database, reader: UserId, clock: DatabaseClock
) -> None:
    for number in range(ITEMS_PER_PERSON_MAX + 2):
        await show(database, reader, replace(DOCUMENT, content_id=str(number)))
        clock.advance(1)

    assert await value(database, "SELECT count(*) FROM app.content_shown") == ITEMS_PER_PERSON_MAX
    assert [await copy(database, reader, str(number)) for number in (0, 1)] == [None, None]
    assert await copy(database, reader, "2") is not None


@pytest.mark.parametrize(("refused", "left"), [("7", 1), (None, 0)])
async def test_what_the_site_refuses_is_forgotten(
    database: Database, reader: UserId, refused: str | None, left: int
) -> None:
    await show(database, reader)
    await show(database, reader, replace(DOCUMENT, content_id="8"))
    async with database.autocommit() as tx:
        await content_cache.forget(tx, reader, refused)

    assert await copy(database, reader) is None
    assert await value(database, "SELECT count(*) FROM app.content_shown") == left


def test_a_very_long_document_is_not_kept() -> None:
    assert content_cache.text_of(replace(DOCUMENT, markdown="x" * 400_001)) is None


async def test_the_functions_role_does_all_of_it_and_reads_no_table(
    database: Database, reader: UserId, as_role: As
) -> None:
    own = as_role(AppRole.MCP_ENDPOINT)
    await show(own, reader)
    assert await copy(own, reader) is not None
    async with own.autocommit() as tx:
        await content_cache.forget(tx, reader, None)

    assert await copy(database, reader) is None
