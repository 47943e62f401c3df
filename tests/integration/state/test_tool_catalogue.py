"""The stored lists of the site's tools."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.domain.identifiers import UpstreamSubject, UserId, new_id
from shared.domain.site_tools import SiteTool, SiteToolList
from shared.state import retention, tool_catalogue, users
from shared.state.database import Database
from tests.support.clock import DatabaseClock

TOOL = SiteTool(
    site_name="user.me",
    name="user_me",
    title="Me",
    description="Who is signed in",
    # In an order that jsonb would not keep.
    input_schema={"type": "object", "properties": {"zebra": {}, "a": {"default": 1.5}}},
)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    database = Database(database_url)
    yield database
    await database.close()


async def _person(database: Database) -> UserId:
    async with database.transaction() as tx:
        user_id, _ = await users.ensure(
            tx,
            user_id=UserId(new_id()),
            site="https://site.example.org",
            subject=UpstreamSubject(secrets.token_hex(4)),
            salt=secrets.token_bytes(32),
        )
    return user_id


async def _list(database: Database, *tools: SiteTool) -> SiteToolList:
    async with database.autocommit() as tx:
        row = await tx.row("SELECT app.now() AS now")
    assert row is not None
    names = {tool.name: tool.site_name for tool in tools}
    return SiteToolList(tools=tools, names=names, listed_at=row["now"])


async def test_a_list_comes_back_as_it_was_with_the_databases_time(
    database: Database, clock: DatabaseClock
) -> None:
    maya, felix = await _person(database), await _person(database)
    listed = await _list(database, TOOL)
    clock.advance(1_000)
    async with database.autocommit() as tx:
        await tool_catalogue.store(tx, maya, listed)
        found = await tool_catalogue.find(tx, maya)
        other = await tool_catalogue.find(tx, felix)

    assert found is not None
    assert (found.tools, found.names) == (listed.tools, listed.names)
    assert list(found.tools[0].input_schema["properties"]) == ["zebra", "a"]
    assert (found.listed_at - listed.listed_at).total_seconds() >= 1_000
    assert other is None


async def test_a_new_list_takes_the_place_of_the_old_one(database: Database) -> None:
    maya = await _person(database)
    other = replace(TOOL, site_name="public.ping", name="public_ping")
    first, second = await _list(database, TOOL), await _list(database, other)
    async with database.autocommit() as tx:
        await tool_catalogue.store(tx, maya, first)
        await tool_catalogue.store(tx, maya, second)
        found = await tool_catalogue.find(tx, maya)
        rows = await tx.rows("SELECT count(*) AS number FROM app.tool_catalogue")

    assert found is not None
    assert found.tools == (other,)
    assert rows == [{"number": 1}]


async def test_a_list_in_another_form_is_not_read(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    maya = await _person(database)
    listed = await _list(database, TOOL)
    async with database.autocommit() as tx:
        await tool_catalogue.store(tx, maya, listed)
        monkeypatch.setattr(tool_catalogue, "FORM", tool_catalogue.FORM + 1)
        found = await tool_catalogue.find(tx, maya)

    assert found is None


async def test_a_list_goes_after_a_month_and_with_its_person(
    database: Database, clock: DatabaseClock
) -> None:
    rule = next(rule for rule in retention.RULES if rule.name == "tool_catalogue_old")
    maya, felix = await _person(database), await _person(database)
    listed = await _list(database, TOOL)
    async with database.autocommit() as tx:
        await tool_catalogue.store(tx, maya, listed)
        clock.advance(29 * 86_400)
        await tool_catalogue.store(tx, felix, listed)
        kept = await retention.purge(tx, rule, limit=10)
        clock.advance(2 * 86_400)
        gone = await retention.purge(tx, rule, limit=10)
        await tx.execute("DELETE FROM app.users WHERE user_id = %(id)s", {"id": felix})
        rows = await tx.rows("SELECT user_id FROM app.tool_catalogue")

    assert (kept, gone, rows) == (0, 1, [])
