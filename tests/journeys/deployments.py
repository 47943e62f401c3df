"""All functions as they are composed, in the test's own process, over a database whose clock moves.

A deployment is a new set of composition objects: nothing that an earlier one had in memory is left.
"""

import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
from psycopg.conninfo import make_conninfo

from functions.cleanup import composition as cleanup
from functions.mcp_endpoint import composition as mcp_endpoint
from functions.oauth import composition as oauth
from functions.token_refresh import composition as token_refresh
from scripts.fake_drupal.accounts import MEMBER
from scripts.fake_drupal.running import RunningFakeDrupal
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.person import Person
from shared.observability import request_context
from shared.settings import (
    CleanupFunctionSettings,
    McpEndpointFunctionSettings,
    OAuthFunctionSettings,
    TokenRefreshFunctionSettings,
)
from shared.state.roles import AppRole
from tests.support.clock import DatabaseClock
from tests.support.serving import serving
from tests.unit.mcp_endpoint.pieces import tool_call

TICK_SECONDS = 50.0
CLEANUP_SECONDS = 120.0


@dataclass(frozen=True, kw_only=True)
class Place:
    """What outlives deployments: addresses, site, database, clocks."""

    site: RunningFakeDrupal
    database_url: str
    clock: DatabaseClock
    mcp_port: int
    oauth_port: int
    refresh_per_second_max: float

    @property
    def mcp_url(self) -> str:
        """Where clients call."""
        return f"http://127.0.0.1:{self.mcp_port}/mcp"

    @property
    def issuer(self) -> str:
        """Where they sign in."""
        return f"http://localhost:{self.oauth_port}"

    def pass_time(self, seconds: float) -> None:
        """For the site and for us."""
        self.clock.advance(seconds)
        self.site.control.advance(seconds)

    def environment(self, role: AppRole, kms_key_id: str) -> dict[str, str]:
        """What the function with that database role is told."""
        return {
            "STAGE": "local",
            "ISSUER_URL": self.issuer,
            "MCP_URL": self.mcp_url,
            "DATABASE_URL": make_conninfo(self.database_url, user=role.value),
            "KMS_KEY_ID": kms_key_id,
            "DRUPAL_BASE_URL": self.site.url,
            "DRUPAL_CLIENT_ID": self.site.client.client_id,
            "DRUPAL_CLIENT_SECRET": self.site.client.secret or "",
            "DRUPAL_SCOPES": " ".join(self.site.scopes),
            "REFRESH_PER_SECOND_MAX": str(self.refresh_per_second_max),
        }


def a_place(
    site: RunningFakeDrupal, database_url: str, clock: DatabaseClock, *, per_second: float
) -> Place:
    """A place with free ports, known to the site."""
    ports = []
    for host in ("127.0.0.1", "localhost"):
        with socket.create_server((host, 0)) as listener:
            ports.append(listener.getsockname()[1])
    place = Place(
        site=site,
        database_url=database_url,
        clock=clock,
        mcp_port=ports[0],
        oauth_port=ports[1],
        refresh_per_second_max=per_second,
    )
    callback = f"{place.issuer}/oauth/callback"
    site.control.put_client(replace(site.client, redirect_uris=(callback,)))
    return place


@dataclass(frozen=True, kw_only=True)
class Deployment:
    """One set of functions, until the next."""

    refresher: token_refresh.Parts
    cleaner: cleanup.Parts

    async def tick(self) -> dict[str, int]:
        """The schedule of the refresher."""
        with request_context.begin_request(
            function="token_refresh", remaining_seconds=TICK_SECONDS
        ):
            return await self.refresher.tick.run()

    async def clean(self) -> dict[str, int]:
        """The schedule of the cleanup; what it did."""
        with request_context.begin_request(function="cleanup", remaining_seconds=CLEANUP_SECONDS):
            done = await self.cleaner.housekeeping.run()
        return {step: count for step, count in done.items() if count}


@asynccontextmanager
async def deployed(place: Place, kms_key_id: str) -> AsyncIterator[Deployment]:
    """Compose and serve everything anew."""

    def told(role: AppRole) -> dict[str, str]:
        return place.environment(role, kms_key_id)

    endpoint = mcp_endpoint.compose(
        McpEndpointFunctionSettings.from_environment(told(AppRole.MCP_ENDPOINT))
    )
    issuer = oauth.compose(OAuthFunctionSettings.from_environment(told(AppRole.OAUTH)))
    refresher = token_refresh.compose(
        TokenRefreshFunctionSettings.from_environment(told(AppRole.TOKEN_REFRESH))
    )
    cleaner = cleanup.compose(CleanupFunctionSettings.from_environment(told(AppRole.CLEANUP)))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(endpoint.close)
        for parts in (issuer, refresher, cleaner):
            stack.callback(parts.forget)
            stack.push_async_callback(parts.opened.close)
        for host, port, app in (
            ("127.0.0.1", place.mcp_port, endpoint.app),
            ("localhost", place.oauth_port, issuer.server.app),
        ):
            listener = stack.enter_context(socket.create_server((host, port)))
            await stack.enter_async_context(serving(app, listener))
        yield Deployment(refresher=refresher, cleaner=cleaner)


class Reader:
    """A person with a client that comes back after hours, days or weeks."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self.memory = ClientMemory()

    async def sign_in(self) -> None:
        """The one time."""
        async with ScriptedBrowser() as browser:
            person = Person(browser, MEMBER.name, MEMBER.password)
            async with connected_client(self._place.mcp_url, person, self.memory) as client:
                await client.list_tools()

    async def search(self) -> httpx2.Response:
        """Come back: the access token is over by now, so a new one first, then the call."""
        async with httpx2.AsyncClient(timeout=30) as http:
            await self._refresh(http)
            return await http.post(
                self._place.mcp_url,
                json=tool_call("search_tutorials", {"query": "views"}),
                headers={"authorization": f"Bearer {self._token()}"},
            )

    def _token(self) -> str:
        assert self.memory.tokens is not None
        return self.memory.tokens.access_token

    async def _refresh(self, http: httpx2.AsyncClient) -> None:
        tokens, client = self.memory.tokens, self.memory.registration
        assert tokens is not None
        assert client is not None
        answer = await http.post(
            f"{self._place.issuer}/token",
            data={
                "grant_type": "refresh_token",
                "refresh_token": tokens.refresh_token,
                "client_id": client.client_id,
            },
        )
        assert answer.status_code == 200, answer.text
        given: dict[str, Any] = answer.json()
        self.memory.tokens = tokens.model_copy(
            update={name: given[name] for name in ("access_token", "refresh_token")}
        )
