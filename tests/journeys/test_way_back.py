"""The site has forgotten a person: the very call that notices it leads back, whatever its shape."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import MCPError, UrlElicitationRequiredError
from mcp.client import ClientRequestContext
from mcp_types import ElicitRequestParams, ElicitRequestURLParams, ElicitResult

from scripts.fake_drupal.accounts import MEMBER
from scripts.local_stack.client import ClientMemory, connected_client
from tests.journeys.world import World, running_world, text_of
from tests.unit.mcp_endpoint.pieces import tool_call

FORGOTTEN_AFTER_SECONDS = 30 * 86_400
WAIT_SECONDS_MAX = 30.0


@dataclass
class Heard:
    """The statuses that a client heard from the endpoint."""

    mcp_url: str
    statuses: list[int] = field(default_factory=list)

    def __call__(self, _method: str, address: str, status: int) -> None:
        if address == self.mcp_url:
            self.statuses.append(status)


def forget_everybody(world: World) -> None:
    """Every token of the site dies, refresh tokens too."""
    world.site.control.advance(FORGOTTEN_AFTER_SECONDS)


async def ignore(progress: float, total: float | None, message: str | None) -> None:
    """A listener, which makes the answer an event stream."""


async def call_after_being_forgotten(world: World, mode: str) -> None:
    """The SDK's client, with and without progress: it signs in within the call, once."""
    memory = ClientMemory()
    heard = Heard(world.stack.addresses.mcp_url)
    async with (
        world.person() as person,
        connected_client(heard.mcp_url, person, memory, mode=mode, on_answer=heard) as client,
    ):
        await client.list_tools()
        for sign_ins, listener in ((2, None), (3, ignore)):
            forget_everybody(world)
            heard.statuses.clear()
            found = await client.call_tool(
                "search_tutorials", {"query": "views"}, progress_callback=listener
            )
            assert not found.is_error, text_of(found)
            assert memory.sign_ins == sign_ins
            assert heard.statuses.count(401) == 1
            assert heard.statuses[-1] == 200


async def raw_answers(world: World, memory: ClientMemory) -> list[httpx2.Response]:
    """The two answers to a call of a forgotten person, the first buffered and the second not."""
    answers = []
    async with httpx2.AsyncClient(timeout=WAIT_SECONDS_MAX) as http:
        for meta in ({}, {"progressToken": "p"}):
            async with world.client(memory):
                pass  # signs in anew where the last answer has ended the session
            forget_everybody(world)
            answers.append(await _post(world, http, memory, meta))
    return answers


async def _post(
    world: World, http: httpx2.AsyncClient, memory: ClientMemory, meta: dict[str, Any]
) -> httpx2.Response:
    assert memory.tokens is not None
    headers = {
        "authorization": f"Bearer {memory.tokens.access_token}",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": "2025-11-25",
    }
    message = tool_call("search_tutorials", {"query": "views"}, **meta)
    return await http.post(world.stack.addresses.mcp_url, json=message, headers=headers)


def has_one_challenge(answer: httpx2.Response) -> None:
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/json"
    (challenge,) = answer.headers.get_list("www-authenticate")
    assert challenge.startswith('Bearer error="invalid_token"')
    assert challenge.count("resource_metadata=") == 1
    assert answer.json()["error"]["data"]["code"] == "grant_ended"


@dataclass
class LinkOpener:
    """A person who follows a link of their client to the end; their account is right by then."""

    world: World
    opened: list[str] = field(default_factory=list)

    async def __call__(
        self,
        context: ClientRequestContext,  # noqa: ARG002 - the shape of a callback
        params: ElicitRequestParams,
    ) -> ElicitResult:
        """Show the link."""
        assert isinstance(params, ElicitRequestURLParams)
        await self.follow(params.url)
        return ElicitResult(action="accept")

    async def follow(self, link: str) -> None:
        """Sign in there."""
        self.world.site.control.block_user(MEMBER.name, blocked=False)
        page = f"{self.world.stack.addresses.issuer_url}/account"
        async with self.world.person() as person:
            self.opened.append(await person.sign_in(link, page))


async def call_while_refused(world: World, mode: str) -> None:
    """The SDK's client shows the link; who signs in there gets an answer."""
    call = ("search_tutorials", {"query": "views"})
    memory, opener = ClientMemory(), LinkOpener(world)
    async with (
        world.person() as person,
        connected_client(
            world.stack.addresses.mcp_url, person, memory, mode=mode, opens=opener
        ) as client,
    ):
        assert not (await client.call_tool(*call)).is_error
        world.site.control.block_user(MEMBER.name)
        if mode == "legacy":
            with pytest.raises(MCPError) as caught:
                await client.call_tool(*call)
            asked = UrlElicitationRequiredError.from_error(caught.value.error)
            await opener.follow(asked.elicitations[0].url)
        found = await client.call_tool(*call)

    assert not found.is_error, text_of(found)
    assert memory.sign_ins == 1
    (opened,) = opener.opened
    assert opened.endswith("/account?done=account_checked")


async def test_a_forgotten_person_signs_in_within_the_call_and_a_refused_one_by_its_link(
    tmp_path: Path,
) -> None:
    async with running_world(tmp_path, front="edge") as world:
        for mode in ("legacy", "2026-07-28"):
            await call_after_being_forgotten(world, mode)
            await call_while_refused(world, mode)
        for answer in await raw_answers(world, ClientMemory()):
            has_one_challenge(answer)
