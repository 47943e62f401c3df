"""A whole stack with a site at hand: every part real, the site in the test's own process."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from mcp import Client
from mcp_types import CallToolResult

from scripts.fake_drupal.accounts import MEMBER, Account
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.options import Front, RealSite, StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack, running_stack

NEVER_SECONDS = 86_400.0


@dataclass(frozen=True)
class World:
    """A running stack, its site, and one person's client."""

    stack: Stack
    site: RunningFakeDrupal

    @asynccontextmanager
    async def person(self, account: Account = MEMBER) -> AsyncIterator[Person]:
        """A member, or who else is named, in front of a browser."""
        async with ScriptedBrowser() as browser:
            yield Person(browser, account.name, account.password)

    @asynccontextmanager
    async def client(
        self, memory: ClientMemory, mode: str = "auto", *, account: Account = MEMBER
    ) -> AsyncIterator[Client]:
        """The SDK's client, connected; the person signs in where the server asks for it."""
        async with self.person(account) as person:
            address = self.stack.addresses.mcp_url
            async with connected_client(address, person, memory, mode=mode) as client:
                yield client


@asynccontextmanager
async def running_world(
    folder: Path,
    *,
    dialect: int = 6,
    front: Front = "urls",
    variables: Mapping[str, str] | None = None,
) -> AsyncIterator[World]:
    """Start everything; schedules tick once at the start and then only by hand."""
    async with running_fake_drupal(dialect) as site:
        our_client = site.client
        options = StackOptions(
            folder,
            RealSite(site.url, our_client.client_id, our_client.secret, " ".join(site.scopes)),
            front=front,
            fixed_ports=False,
            refresh_interval_seconds=NEVER_SECONDS,
            cleanup_interval_seconds=NEVER_SECONDS,
            more_variables=variables or {},
        )
        async with running_stack(options) as stack:
            callback = f"{stack.addresses.issuer_url}/oauth/callback"
            site.control.put_client(replace(our_client, redirect_uris=(callback,)))
            yield World(stack, site)


def text_of(result: CallToolResult) -> str:
    """What the model reads."""
    return "\n".join(getattr(part, "text", "") for part in result.content)
