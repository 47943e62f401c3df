"""Access that is taken back is gone at the next request, at the site too, and nobody else's is."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from scripts.fake_drupal.accounts import FREE, MEMBER
from scripts.local_stack.person import Person
from scripts.local_stack.schedules import Schedule
from tests.journeys.account_page import AccountPage
from tests.journeys.plain_client import Endpoints, PlainClient, call_tool, plain_http, registered
from tests.journeys.world import World, running_world


@dataclass(frozen=True)
class Connected:
    """A client with its tokens, and the pair that stands behind them at the site."""

    story: "Story"
    client: PlainClient
    tokens: dict[str, Any]
    access_id: str
    refresh_id: str

    async def revoke(self, kind: str, *, of: "Connected | None" = None) -> None:
        """Hand a token back, one's own or another's; the answer is the same."""
        answer = await self.client.revoke((of or self).tokens[kind])
        assert (answer.status_code, answer.json()) == (200, {})

    async def is_connected(self) -> bool:
        """Whether the access token is taken; if it is not, the refresh token is dead, too."""
        story = self.story
        answer = await call_tool(
            story.http, story.mcp_url, self.tokens["access_token"], "search", query="views"
        )
        if answer.status_code == 200:
            return True
        told = answer.json()["error"]["data"]
        assert (answer.status_code, told["code"]) == (401, "grant_ended")
        refused = await self.client.refresh(self.tokens)
        assert (refused.status_code, refused.json()["error"]) == (400, "invalid_grant")
        return False

    def lives_at_the_site(self) -> tuple[bool, bool]:
        """Whether the site would still take the pair's access token, and its refresh token."""
        store = self.story.world.site.site.store
        refresh = store.refresh_tokens.get(self.refresh_id)
        return (
            store.access_tokens.get(self.access_id) is not None,
            refresh is not None and not refresh.revoked,
        )


@dataclass(frozen=True)
class Story:
    """A running stack, plain HTTP, and what a client needs to know."""

    world: World
    http: httpx2.AsyncClient
    endpoints: Endpoints

    @property
    def mcp_url(self) -> str:
        """The MCP endpoint."""
        return self.world.stack.addresses.mcp_url

    async def connect(self, name: str, person: Person) -> Connected:
        """A new client, signed in."""
        store = self.world.site.site.store
        access = {key for key, _ in store.access_tokens.items()}
        refresh = {key for key, _ in store.refresh_tokens.items()}
        client = await registered(self.http, self.endpoints, name)
        tokens = await client.sign_in(person)
        (access_id,) = {key for key, _ in store.access_tokens.items()} - access
        (refresh_id,) = {key for key, _ in store.refresh_tokens.items()} - refresh
        return Connected(self, client, tokens, access_id, refresh_id)

    async def clean_up(self) -> dict[str, int]:
        """Run the cleanup; what it did."""
        emulator = self.world.stack.emulator
        await emulator.settled("cleanup")
        done: dict[str, int] = await emulator.invoke("cleanup", Schedule("cleanup", 60).tick())
        return done


@pytest.fixture
async def story(tmp_path: Path) -> AsyncIterator[Story]:
    """A running stack."""
    async with running_world(tmp_path) as world, plain_http() as http:
        issuer = world.stack.addresses.issuer_url
        yield Story(world, http, await Endpoints.of_metadata(http, issuer))


async def test_what_is_taken_back_is_dead_at_the_next_request_and_burnt_at_the_site(
    story: Story,
) -> None:
    async with story.world.person() as maya, story.world.person(FREE) as felix:
        by_access = await story.connect("By access token", maya)
        by_refresh = await story.connect("By refresh token", maya)
        by_person = await story.connect("By person", maya)
        kept = await story.connect("Kept", maya)
        kept_too = await story.connect("Kept, too", maya)
        felix_kept = await story.connect("Kept by another", felix)

        await kept.revoke("refresh_token", of=by_access)
        assert await by_access.is_connected()
        await by_access.revoke("access_token")
        await by_refresh.revoke("refresh_token")
        page = await AccountPage.opened(story.world, maya)
        assert "disconnected" in await page.press("Disconnect By person")
        ended = (by_access, by_refresh, by_person)
        assert [await one.is_connected() for one in ended] == [False, False, False]
        assert [await one.is_connected() for one in (kept, felix_kept)] == [True, True]

        assert (await story.clean_up())["burnt"] == len(ended)
        assert [one.lives_at_the_site() for one in ended] == [(False, False)] * 3
        assert await kept.is_connected()

        await page.press("Disconnect all")
        assert [await one.is_connected() for one in (kept, felix_kept)] == [False, True]
        assert not await kept_too.is_connected()
        assert (await story.clean_up())["burnt"] == 2
        assert [one.lives_at_the_site() for one in (kept, kept_too)] == [(False, False)] * 2
        assert felix_kept.lives_at_the_site() == (True, True)
        # Nor is anything left of what burning itself brought.
        assert story.world.site.control.live_tokens(MEMBER.name)[0] == 0
