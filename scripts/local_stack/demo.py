"""The demo: a fresh stack, a scripted client that signs in, searches and reads, a transcript.

It must never touch a kept stack: folder and ports are its own and gone afterwards.
"""

import contextlib
import tempfile
import textwrap
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from mcp import Client
from mcp_types import CallToolResult, TextContent

from scripts.artifacts.build import Artifacts
from scripts.fake_drupal.accounts import MEMBER
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import ClientMemory, connected_client
from scripts.local_stack.options import Dialect, FakeSite, Front, StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack, running_stack

KEYWORDS: Final = "views"
_LINES_SHOWN: Final = 14
_WIDTH: Final = 96


class DemoFailedError(Exception):
    """A step of the demo did not bring what it should."""


@dataclass
class Transcript:
    """Tells a story on the terminal, step by step, with times."""

    tell: Callable[[str], None] = print
    _number: int = 0
    _started: float = field(default_factory=time.monotonic)

    @contextlib.contextmanager
    def step(self, title: str) -> Iterator[None]:
        """One numbered step and how long it took."""
        self._number += 1
        self.tell(f"\n{self._number}. {title}")
        began = time.monotonic()
        yield
        self.tell(f"   ({(time.monotonic() - began) * 1000:.0f} ms)")

    def line(self, text: str) -> None:
        """A line of a step."""
        for part in textwrap.wrap(text, _WIDTH, break_long_words=False) or [""]:
            self.tell(f"   {part}")

    def quote(self, text: str) -> None:
        """The beginning of what the server said."""
        lines = text.strip().splitlines()
        for one in lines[:_LINES_SHOWN]:
            self.tell(f"   | {one[:_WIDTH]}")
        if len(lines) > _LINES_SHOWN:
            self.tell(f"   | … {len(lines) - _LINES_SHOWN} more lines")

    def end(self) -> None:
        """The last line."""
        self.tell(f"\nDone in {time.monotonic() - self._started:.1f} s.")


def _text(result: CallToolResult) -> str:
    text = "\n".join(part.text for part in result.content if isinstance(part, TextContent))
    if result.is_error:
        raise DemoFailedError(f"the tool answered with an error: {text}")
    return text


def _structured(result: CallToolResult) -> dict[str, Any]:
    content: object = result.structured_content
    if not isinstance(content, dict):
        raise DemoFailedError("the tool's answer has no structured content")
    return content


async def run(
    dialect: Dialect,
    tell: Callable[[str], None] = print,
    *,
    front: Front = "urls",
    artifacts: Artifacts | None = None,
) -> None:
    """Run the demo, on built artifacts if there are any, else on this checkout's code.

    Raises:
        DemoFailedError: a step failed; parts of the stack raise their own errors.
    """
    transcript = Transcript(tell)
    with tempfile.TemporaryDirectory(prefix="dmcp-demo-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(
            Path(folder), FakeSite(dialect), front=front, fixed_ports=False, artifacts=artifacts
        )
        async with contextlib.AsyncExitStack() as parts:
            with transcript.step("Start a fresh stack: Postgres, KMS, a fake Drupal, functions"):
                stack = await parts.enter_async_context(running_stack(options))
                _introduce(stack, transcript)
            await _visit(stack, transcript)
    transcript.end()


def _introduce(stack: Stack, transcript: Transcript) -> None:
    about = stack.description()
    transcript.line(f"MCP endpoint          {about['mcp_url']}")
    transcript.line(f"Authorization server  {about['issuer_url']}")
    transcript.line(f"Drupal (fake)         {about['drupal_url']}")
    transcript.line(f"Python {about['python']}, Postgres {about['postgres_version']}")
    if stack.options.artifacts is not None:
        transcript.line(f"Built artifacts       {stack.options.artifacts.folder}")


async def _visit(stack: Stack, transcript: Transcript) -> None:
    memory = ClientMemory()
    async with ScriptedBrowser() as browser:
        person = Person(browser, MEMBER.name, MEMBER.password)
        title = f"A client connects; {MEMBER.name} signs in at Drupal and agrees"
        async with _signed_in(stack, person, memory, transcript, title) as client:
            await _use_tools(client, transcript)
        with transcript.step("The client comes back later, with the tokens it kept"):
            async with connected_client(stack.addresses.mcp_url, person, memory) as client:
                _text(await client.call_tool("account_status", {}))
            if memory.sign_ins != 1:
                raise DemoFailedError("the client had to sign in again")
            transcript.line("account_status answered; nobody had to sign in again.")


@contextlib.asynccontextmanager
async def _signed_in(
    stack: Stack, person: Person, memory: ClientMemory, transcript: Transcript, title: str
) -> AsyncIterator[Client]:
    def told(method: str, url: str, status: int) -> None:
        for visit in person.browser.visits:
            transcript.line(f"  browser  {visit.status}  {visit.method:4} {visit.url}")
        person.browser.visits.clear()
        transcript.line(f"client     {status}  {method:4} {url}")

    async with contextlib.AsyncExitStack() as open_client:
        with transcript.step(title):
            client = await open_client.enter_async_context(
                connected_client(stack.addresses.mcp_url, person, memory, on_answer=told)
            )
            transcript.line(f"Signed in; protocol {client.protocol_version}.")
        yield client


async def _use_tools(client: Client, transcript: Transcript) -> None:
    with transcript.step("tools/list"):
        tools = (await client.list_tools()).tools
        for tool in tools:
            transcript.line(f"{tool.name:18} {tool.title}")
    with transcript.step(f'search_tutorials {{"query": "{KEYWORDS}"}}'):
        found = await client.call_tool("search_tutorials", {"query": KEYWORDS, "limit": 3})
        transcript.quote(_text(found))
    results = _structured(found)["results"]
    if not results:
        raise DemoFailedError("the search found nothing")
    first = results[0]["id"]
    with transcript.step(f'get_tutorial {{"id": "{first}"}}'):
        read = await client.call_tool("get_tutorial", {"id": first})
        transcript.quote(_text(read))
    with transcript.step("account_status"):
        transcript.quote(_text(await client.call_tool("account_status", {})))
