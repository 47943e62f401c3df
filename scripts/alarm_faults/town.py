"""A watched stack with people in it, and what can be done to it: the ground for planted faults."""

import asyncio
import contextlib
import datetime as dt
import itertools
import os
import re
import secrets
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx2
import psycopg

from scripts.artifacts.build import LOGICAL_IDS
from scripts.benchmarks.tool_requests import ToolRequest
from scripts.dev_view.collector import Collector
from scripts.fake_drupal.accounts import MEMBER_ROLE, Account
from scripts.fake_drupal.behaviours import Behaviours
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.browser import BrowserError, ScriptedBrowser
from scripts.local_stack.functions import DATABASE
from scripts.local_stack.options import RealSite, StackOptions
from scripts.local_stack.person import Person
from scripts.local_stack.schedules import Schedule
from scripts.local_stack.stack import Stack, running_stack
from shared.domain import pkce

REDIRECT_URI: Final = "https://fired.example/callback"
AT_A_TIME: Final = 4
"""Requests under way: fewer than a function has environments."""
DOORS_MAX: Final = 6
"""Environments of each function: a throttle has to be reached on a small machine."""
TRIES: Final = 20
TOOL_SECONDS_MAX: Final = 60.0
FIRST_UID: Final = 20_000
_REFUSES: Final = re.compile(r"\b(deny|cancel|refuse|decline|do not|don't)\b", re.IGNORECASE)
SEARCH: Final = ToolRequest(tool="search_tutorials", arguments={"query": "views", "limit": 3})


class NobodyError(Exception):
    """Nobody can sign in, though nothing is planted."""


@dataclass(slots=True)
class Caller:
    """A client with somebody's tokens."""

    name: str
    code: str = field(repr=False)
    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)


@dataclass
class Town:
    """The stack, its site and its people."""

    stack: Stack
    site: RunningFakeDrupal
    http: httpx2.AsyncClient
    collector: Collector
    client_id: str = ""
    callers: list[Caller] = field(default_factory=list)
    _uids: "itertools.count[int]" = field(default_factory=lambda: itertools.count(FIRST_UID))
    _verifier: str = field(default_factory=lambda: secrets.token_urlsafe(48), repr=False)

    @property
    def issuer(self) -> str:
        """The authorization server."""
        return self.stack.addresses.issuer_url

    def admin(self) -> "psycopg.Connection[Any]":
        """A connection of the database's owner; close it."""
        return psycopg.connect(self.stack.postgres.conninfo(DATABASE), autocommit=True)

    def alter(self, *statements: str) -> None:
        """Run statements as the database's owner."""
        with self.admin() as connection:
            for statement in statements:
                connection.execute(statement.encode())

    async def register(self) -> str:
        """A client id."""
        metadata = {"client_name": "Fired", "redirect_uris": [REDIRECT_URI]}
        answer = await self.http.post(f"{self.issuer}/register", json=metadata)
        return str(answer.json().get("client_id", ""))

    def somebody(self) -> Account:
        """Somebody new with a membership."""
        uid = next(self._uids)
        account = Account(
            uid=uid, name=f"reader{uid}", password=secrets.token_hex(8), roles=(MEMBER_ROLE,)
        )
        self.site.control.put_account(account)
        return account

    async def code(self) -> tuple[str, str]:
        """Somebody new agrees: their name and the authorization code.

        Raises:
            BrowserError: they were not sent back with one.
        """
        account = self.somebody()
        async with ScriptedBrowser() as browser:
            person = Person(browser, account.name, account.password)
            back = await person.sign_in(self._authorization_url(), REDIRECT_URI)
        codes = parse_qs(urlsplit(back).query).get("code")
        if not codes:
            raise BrowserError("came back without a code")
        return account.name, codes[0]

    async def redeem(self, code: str) -> httpx2.Response:
        """Exchange a code."""
        return await self._token(
            {
                "grant_type": "authorization_code",
                "code": code,
                "redirect_uri": REDIRECT_URI,
                "code_verifier": self._verifier,
            }
        )

    async def refresh(self, refresh_token: str) -> httpx2.Response:
        """Use a refresh token."""
        return await self._token({"grant_type": "refresh_token", "refresh_token": refresh_token})

    async def _token(self, form: dict[str, str]) -> httpx2.Response:
        data = {**form, "client_id": self.client_id}
        return await self.http.post(f"{self.issuer}/token", data=data)

    async def sign_in(self) -> Caller | None:
        """Somebody new signs in; None if that did not work, as is to be expected of faults."""
        try:
            name, code = await self.code()
            tokens = (await self.redeem(code)).json()
            return Caller(name, code, tokens["access_token"], tokens["refresh_token"])
        except (BrowserError, httpx2.HTTPError, KeyError):
            return None

    async def people(self, count: int) -> list[Caller]:
        """As many people with tokens as asked for, new ones as needed.

        Raises:
            NobodyError: nobody can sign in.
        """
        for _ in range(count + TRIES):
            wanted = min(AT_A_TIME, count - len(self.callers))
            if wanted <= 0:
                return self.callers[:count]
            found = await asyncio.gather(*(self.sign_in() for _ in range(wanted)))
            self.callers += [one for one in found if one is not None]
        raise NobodyError

    async def call(self, caller: Caller, tool: ToolRequest = SEARCH) -> int:
        """Call a tool; the status, 0 without an answer."""
        url = self.stack.addresses.mcp_url
        headers = tool.headers(caller.access_token, urlsplit(url).netloc)
        return await self.ask("POST", url, headers=headers, content=tool.body())

    async def ask(self, method: str, url: str, **given: Any) -> int:
        """One request; the status, 0 without an answer."""
        try:
            return (await self.http.request(method, url, **given)).status_code
        except httpx2.HTTPError:
            return 0

    async def tick(self, function: str) -> None:
        """One tick of a schedule, whatever comes of it."""
        event = Schedule(function if function in LOGICAL_IDS else "cleanup", 60.0).tick()
        with contextlib.suppress(FunctionError, ThrottledError):
            await self.stack.emulator.invoke(function, event)

    def read(self) -> ToolRequest:
        """A reading of a tutorial that is free."""
        return ToolRequest(
            tool="get_tutorial", arguments={"id": next(iter(self.site.site.content))}
        )

    async def start_more(self, spec: FunctionSpec) -> str:
        """One more function, whose lines are collected as well; its URL."""
        url = await self.stack.emulator.start(spec)
        self.collector.tail.follow(spec.name, self.stack.emulator.log_file(spec.name))
        return url

    def specification(self, function: str) -> FunctionSpec:
        """How a function is run here."""
        (found,) = (one for one in self.stack.functions if one.name == function)
        return found

    async def deny(self) -> None:
        """Somebody comes to the consent page and refuses.

        Raises:
            BrowserError: there was no such page.
        """
        async with ScriptedBrowser() as browser:
            page = await browser.open(self._authorization_url())
            if isinstance(page, str) or not page.forms:
                raise BrowserError("no consent page")
            for form in page.forms:
                for button in form.buttons:
                    if _REFUSES.search(button.text):
                        await browser.submit(page, form, button=button, stop_at=_at_client)
                        return
        raise BrowserError("no button to refuse with")

    async def foreign_return(self) -> None:
        """Somebody's return from the site is opened in a browser that did not begin."""
        callback, account = f"{self.issuer}/oauth/callback", self.somebody()
        try:
            async with ScriptedBrowser() as browser:
                person = Person(browser, account.name, account.password)
                back = await person.sign_in(self._authorization_url(), callback)
        except (BrowserError, httpx2.HTTPError):
            return
        await self.ask("GET", back)

    def _authorization_url(self) -> str:
        query = urlencode(
            {
                "response_type": "code",
                "client_id": self.client_id,
                "redirect_uri": REDIRECT_URI,
                "state": secrets.token_urlsafe(16),
                "resource": self.stack.addresses.mcp_url,
                "code_challenge": pkce.challenge_of(self._verifier),
                "code_challenge_method": "S256",
            }
        )
        return f"{self.issuer}/authorize?{query}"

    def clock_at(self, *, hour: int | None, minute: int) -> None:
        """Move the database's clock on to that time of day (UTC), or of the hour."""
        now = dt.datetime.now(dt.UTC)
        wanted = now.replace(hour=now.hour if hour is None else hour, minute=minute, second=0)
        step = dt.timedelta(days=1) if hour is not None else dt.timedelta(hours=1)
        self.move_clock(((wanted if wanted > now else wanted + step) - now).total_seconds())

    def expire_pairs(self) -> None:
        """Every pair is due, as if its hour had passed."""
        self.alter(
            "UPDATE app.grants SET access_expires_at = app.now() - interval '1 second',"
            " refresh_at = app.now() - interval '1 second' WHERE status = 'active'"
        )

    def move_clock(self, seconds: float) -> None:
        """Move the database's clock; 0 puts it right."""
        self.alter(
            "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz LANGUAGE sql STABLE"
            f" PARALLEL SAFE AS $$ SELECT pg_catalog.now() + interval '{seconds} seconds' $$"
        )

    def slow_database(self, seconds: float) -> None:
        """Every look at the database's clock takes so long."""
        self.alter(
            "CREATE OR REPLACE FUNCTION app.now() RETURNS timestamptz LANGUAGE plpgsql STABLE"
            f" AS $$ BEGIN PERFORM pg_sleep({seconds}); RETURN pg_catalog.now(); END $$"
        )

    def kill(self, function: str) -> None:
        """Kill every environment of a function, as a platform does that is out of memory."""
        for pid in self.stack.emulator.pids(function):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    async def heal(self) -> None:
        """Undo what a fault may have left: switches, circuits, clocks, frozen environments."""
        self.site.control.clear_faults()
        self.site.control.set(**Behaviours().model_dump())
        self.move_clock(0)
        self.alter("DELETE FROM app.circuits", "DELETE FROM app.circuit_calls")
        for function in ("oauth", "mcp_endpoint", "token_refresh"):
            await self.stack.emulator.settled(function)
            self.kill(function)
        self.callers = [one for one in self.callers if await self.call(one) == 200]


def collector_of(stack: Stack) -> Collector:
    """What collects in a watched stack.

    Raises:
        ValueError: nothing does.
    """
    if stack.watching is None:
        raise ValueError("not watched")
    return stack.watching.collector


def _at_client(url: str) -> bool:
    return url.startswith(REDIRECT_URI)


async def repeat(work: Callable[[], Awaitable[object]], *, pause_seconds: float = 0.0) -> None:
    """Do something for ever."""
    while True:
        await work()
        await asyncio.sleep(pause_seconds)


async def at_once(work: Iterable[Awaitable[object]]) -> None:
    """Do all of it, a few at a time."""
    free = asyncio.Semaphore(AT_A_TIME)

    async def one(awaited: Awaitable[object]) -> None:
        async with free:
            await awaited

    await asyncio.gather(*(one(awaited) for awaited in work))


@contextlib.asynccontextmanager
async def running_town(folder: Path) -> AsyncIterator[Town]:
    """A fresh stack on free ports; its schedules tick once and then only when asked."""
    async with running_fake_drupal(6) as site, httpx2.AsyncClient(timeout=TOOL_SECONDS_MAX) as http:
        client = site.client
        never = 86_400.0
        options = StackOptions(
            folder,
            RealSite(site.url, client.client_id, client.secret, " ".join(site.scopes)),
            fixed_ports=False,
            refresh_interval_seconds=never,
            cleanup_interval_seconds=never,
            watched=True,
            environments_max=DOORS_MAX,
        )
        async with running_stack(options) as stack:
            callback = f"{stack.addresses.issuer_url}/oauth/callback"
            site.control.put_client(replace(client, redirect_uris=(callback,)))
            town = Town(stack, site, http, collector_of(stack))
            town.client_id = await town.register()
            yield town
