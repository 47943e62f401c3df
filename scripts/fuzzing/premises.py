"""The stack that is fuzzed: both functions as deployed, on a real Postgres, and nobody is limited.

How often somebody may call is shown elsewhere; here it would answer nearly everything.
"""

import asyncio
import re
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import psycopg

from functions.oauth.browser_cookie import COOKIE_NAME
from scripts.benchmarks import process_usage
from scripts.benchmarks.endpoint.premises import NO_RATES
from scripts.fake_drupal.accounts import MEMBER
from scripts.fake_drupal.faults import Fault, FaultKind, RouteClass
from scripts.local_stack.browser import ScriptedBrowser
from scripts.local_stack.client import REDIRECT_URI, ClientMemory, connected_client
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.options import StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.stack import Stack, running_stack
from shared.domain import pkce

VERIFIER: Final = "v" * 43
_CALLS_BETWEEN: Final = 2
_FAULTS: Final = (
    FaultKind.ERROR_HTML,
    FaultKind.ERROR_JSON,
    FaultKind.NOT_JSON,
    FaultKind.MAINTENANCE_TEXT,
    FaultKind.TRUNCATED,
    FaultKind.BOT_CHALLENGE,
    FaultKind.RATE_LIMITED,
    FaultKind.CLOSE_BEFORE,
)
"""Those that end no grant and make nobody wait."""
_NEVER_SECONDS: Final = 86_400.0
_HIDDEN: Final = re.compile(r'name="(sign_in|consent)" value="([^"]+)"')


@dataclass(frozen=True, slots=True, kw_only=True)
class Premises:
    """A running stack and somebody who has signed in."""

    stack: Stack
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
    client_id: str

    @property
    def mcp_url(self) -> str:
        """The origin of the MCP endpoint."""
        return self.stack.addresses.mcp_origin

    @property
    def oauth_url(self) -> str:
        """The origin of the authorization server."""
        return self.stack.addresses.issuer_url

    def variables(self, function: str) -> Mapping[str, str]:
        """The environment variables of a function."""
        return next(one.environment for one in self.stack.functions if one.name == function)

    async def plan_faults(self, number: int) -> None:
        """Let some of the site's next answers go wrong, so that their text is at hand to leak.

        Whatever ``number`` is, all kinds come, each time another one first.
        """
        first = number % len(_FAULTS)
        address = f"{self.stack.addresses.drupal_url}/_control/faults"
        async with httpx2.AsyncClient() as http:
            await http.post(f"{address}/clear", json={})
            for turn, kind in enumerate((*_FAULTS[first:], *_FAULTS[:first]), start=1):
                fault = Fault(
                    kind=kind,
                    route=RouteClass.JSONRPC,
                    skip=turn * _CALLS_BETWEEN,
                    times=2,  # one alone is made good by another try
                    retry_after_seconds=1,
                )
                answer = await http.post(address, content=fault.model_dump_json())
                answer.raise_for_status()

    async def resident_mb(self, function: str) -> dict[int, float]:
        """What each environment of a function holds while it rests, in 1,000,000 bytes."""
        await self.stack.emulator.settled(function)
        pids = self.stack.emulator.pids(function)
        return {pid: process_usage.resident_memory_mb(pid) or 0.0 for pid in pids}

    async def sign_in_under_way(self) -> dict[str, str]:
        """What a client and a browser hold in the middle: a code, a consent page, a cookie."""
        request = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": REDIRECT_URI,
            "state": "s",
            "resource": self.stack.addresses.mcp_url,
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
        }
        address = f"{self.oauth_url}/authorize?{urlencode(request)}"
        async with ScriptedBrowser() as browser, httpx2.AsyncClient() as http:
            person = Person(browser, MEMBER.name, MEMBER.password)
            back = await person.sign_in(address, REDIRECT_URI)
            page = await http.get(address)
        code = parse_qs(urlsplit(back).query)["code"][0]
        hidden = {name: unescape(value) for name, value in _HIDDEN.findall(page.text)}
        return {
            **request,
            **hidden,
            "decision": "allow",
            "grant_type": "authorization_code",
            "code": code,
            "code_verifier": VERIFIER,
            "refresh_token": self.refresh_token,
            "token": self.refresh_token,
            "browser": page.cookies.get(COOKIE_NAME) or "",
        }


@asynccontextmanager
async def opened_premises() -> AsyncIterator[Premises]:
    """A fresh stack on free ports, gone afterwards.

    Raises:
        PartFailedError: a part of it did not start.
    """
    with tempfile.TemporaryDirectory(prefix="dmcp-fuzz-", ignore_cleanup_errors=True) as folder:
        options = StackOptions(
            Path(folder),
            fixed_ports=False,
            refresh_interval_seconds=_NEVER_SECONDS,
            cleanup_interval_seconds=_NEVER_SECONDS,
            log_level="ERROR",
        )
        async with running_stack(options) as stack:
            await asyncio.to_thread(_limit_nobody, stack)
            memory = await _signed_in(stack)
            assert memory.tokens is not None  # noqa: S101 - it has just signed in
            assert memory.registration is not None  # noqa: S101 - the same
            yield Premises(
                stack=stack,
                access_token=memory.tokens.access_token,
                refresh_token=memory.tokens.refresh_token or "",
                client_id=memory.registration.client_id or "",
            )


def _limit_nobody(stack: Stack) -> None:
    with psycopg.connect(stack.postgres.conninfo(DATABASE), autocommit=True) as connection:
        connection.execute(NO_RATES)


async def _signed_in(stack: Stack) -> ClientMemory:
    memory = ClientMemory()
    async with ScriptedBrowser() as browser:
        person = Person(browser, MEMBER.name, MEMBER.password)
        async with connected_client(stack.addresses.mcp_url, person, memory) as client:
            await client.list_tools()
    return memory
