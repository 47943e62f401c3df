"""What a membership changes: the site decides at every call, and nobody is signed out for it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, MCPError
from mcp_types import CallToolResult, TextResourceContents

from functions.mcp_endpoint.tools.presentation import TUTORIAL_URI_START
from scripts.fake_drupal.accounts import ADMINISTER, FREE, LAPSED, MEMBER, MEMBER_ROLE, Account
from scripts.local_stack.client import ClientMemory
from tests.journeys.world import World, running_world, text_of

FOR_MEMBERS = "131"
FOR_ALL = "124"
MEMBERSHIP_URL = "https://site.example/pricing"
MEMBERS_TOOL = "admin_only"
"""A tool of the site that it gives to members only, in these stories."""


@dataclass(frozen=True)
class Reader:
    """Somebody with a client, and the account that the site knows."""

    world: World
    account: Account
    memory: ClientMemory
    client: Client

    async def read(self, content_id: str) -> CallToolResult:
        """One item through ``get_tutorial``."""
        return await self.client.call_tool("get_tutorial", {"id": content_id})

    async def tools(self) -> set[str]:
        """The names that the server lists now, whatever the client remembers."""
        listed = await self.client.list_tools(cache_mode="refresh")
        return {tool.name for tool in listed.tools}

    def becomes(self, *roles: str) -> None:
        """The site saves the person with other roles: their access tokens are gone at once."""
        self.world.site.control.set_roles(self.account.name, *roles)

    def scopes_at_the_site(self) -> set[tuple[str, ...]]:
        """The scopes in the access tokens that the site has issued for the person."""
        rows = self.world.site.site.store.access_tokens.items()
        return {tuple(sorted(row.scopes)) for _, row in rows if row.uid == self.account.uid}


@asynccontextmanager
async def reader(world: World, account: Account) -> AsyncIterator[Reader]:
    memory = ClientMemory()
    async with world.client(memory, account=account) as client:
        yield Reader(world, account, memory, client)
    assert memory.sign_ins == 1


@pytest.fixture(params=[6, 5], ids=["simple_oauth-6", "simple_oauth-5"])
async def world(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """The stack before a site of either dialect, which gives one of its tools to members only."""
    variables = {"MEMBERSHIP_URL": MEMBERSHIP_URL}
    async with running_world(tmp_path, dialect=request.param, variables=variables) as world:
        world.site.control.set(permissions_added={MEMBER_ROLE: [ADMINISTER]})
        yield world


def error_of(result: CallToolResult) -> dict[str, Any]:
    assert result.is_error
    assert result.structured_content is not None
    error: dict[str, Any] = result.structured_content["error"]
    return error


def assert_told_to_subscribe(result: CallToolResult) -> None:
    error = error_of(result)
    assert (error["code"], error["guidance"]) == ("subscription_required", "subscribe")
    assert not error["retryable"]
    assert "membership" in error["what_to_do"]
    assert error["page"] == MEMBERSHIP_URL
    for told in (error["what_to_do"], error["page"]):
        assert told in text_of(result)


async def test_free_member_upgraded_and_lapsed_people_get_what_the_site_gives_them(
    world: World,
) -> None:
    async with reader(world, FREE) as felix:
        await _a_free_person_reads_what_is_free(felix)
        await _an_upgrade_counts_from_the_next_call(felix)
    async with reader(world, MEMBER) as maya:
        await _a_member_reads_everything(maya)
        await _a_lapse_counts_from_the_next_call_and_signs_nobody_out(maya)
    async with reader(world, LAPSED) as lena:
        assert_told_to_subscribe(await lena.read(FOR_MEMBERS))
        assert MEMBERS_TOOL not in await lena.tools()


async def _a_free_person_reads_what_is_free(felix: Reader) -> None:
    assert not (await felix.read(FOR_ALL)).is_error
    for tool in ("get_tutorial", "fetch"):
        assert_told_to_subscribe(await felix.client.call_tool(tool, {"id": FOR_MEMBERS}))
    with pytest.raises(MCPError) as refused:
        await felix.client.read_resource(f"{TUTORIAL_URI_START}{FOR_MEMBERS}")
    assert refused.value.error.data["guidance"] == "subscribe"
    assert refused.value.error.data["page"] == MEMBERSHIP_URL
    assert MEMBERS_TOOL not in await felix.tools()
    # The scope of members was asked for, and stands in the token of somebody who is none.
    assert all(MEMBER_ROLE in scopes for scopes in felix.scopes_at_the_site())


async def _an_upgrade_counts_from_the_next_call(felix: Reader) -> None:
    felix.becomes(MEMBER_ROLE)
    assert not (await felix.client.call_tool(MEMBERS_TOOL, {})).is_error
    assert not (await felix.read(FOR_MEMBERS)).is_error


async def _a_member_reads_everything(maya: Reader) -> None:
    assert MEMBERS_TOOL in await maya.tools()
    assert not (await maya.client.call_tool(MEMBERS_TOOL, {})).is_error
    address = f"{TUTORIAL_URI_START}{FOR_MEMBERS}"
    part = (await maya.client.read_resource(address)).contents[0]
    assert isinstance(part, TextResourceContents)
    assert "Relationships in Views" in part.text


async def _a_lapse_counts_from_the_next_call_and_signs_nobody_out(maya: Reader) -> None:
    maya.becomes("lapsed")
    assert_told_to_subscribe(await maya.read(FOR_MEMBERS))
    assert not (await maya.read(FOR_ALL)).is_error
    assert_told_to_subscribe(await maya.client.call_tool(MEMBERS_TOOL, {}))
    assert MEMBERS_TOOL not in await maya.tools()
    status = await maya.client.call_tool("account_status", {})
    assert status.structured_content is not None
    assert status.structured_content["site_connection"] == "ready"
    maya.becomes(MEMBER_ROLE)
    assert not (await maya.read(FOR_MEMBERS)).is_error
