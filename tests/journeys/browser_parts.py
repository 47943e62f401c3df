"""A real browser, the deployed function and the fake site, for stories that people live through."""

import asyncio
import os
import shutil
import socket
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx2
import pytest
from axe_playwright_python.async_playwright import (  # type: ignore[import-untyped] # ships no types
    Axe,
)
from playwright.async_api import Browser, BrowserContext, Page, async_playwright

from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from shared.domain import pkce
from tests.journeys.login_host import front_with_another_login_host

SCREENSHOTS = "BROWSER_TESTS_SCREENSHOTS"
"""Names the variable with the folder for screenshots, for people who look at the pages."""
_SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
_SCHEME = "matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light'"
_OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
_FOCUSED = """() => {
    const found = document.activeElement;
    if (found === document.body) return null;
    const text = found.tagName === 'INPUT' ? `${found.name} ${found.value}` : found.textContent;
    const name = found.getAttribute('aria-label') || text;
    return [name, getComputedStyle(found).outlineStyle !== 'none'];
}"""
TABS_MAX = 12
VERIFIER = "v" * 64
MCP_URL = "http://127.0.0.1:8700/mcp"
WAIT_SECONDS_MAX = 20.0
BROWSER_ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def chromium_path() -> str:
    """Where Chromium is; the test is skipped where there is none."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    if found is None:
        pytest.skip("no Chromium on this machine")
    return found


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@asynccontextmanager
async def running_chromium() -> AsyncIterator[Browser]:
    """Chromium, whatever Playwright would have downloaded."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=chromium_path(), args=BROWSER_ARGUMENTS
        )
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class NativeClient:
    """A client on the person's machine: registers, listens on loopback, redeems its code."""

    issuer: str
    mcp_url: str
    port: int = 0
    client_id: str = ""
    heard: asyncio.Queue[dict[str, str]] = field(default_factory=asyncio.Queue)

    @property
    def redirect_uri(self) -> str:
        """Where the browser is sent back to."""
        return f"http://127.0.0.1:{self.port}/callback"

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        """Listen for the browser's return, and register."""
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        async with server:
            await self._register()
            yield

    async def _register(self) -> None:
        self.client_id = await self.another("http://127.0.0.1/callback")

    async def another(self, redirect_uri: str, *, name: str = "Story") -> str:
        """The id of a client that registers another address to return to."""
        async with httpx2.AsyncClient(timeout=WAIT_SECONDS_MAX) as http:
            answer = await http.post(
                f"{self.issuer}/register",
                json={"client_name": name, "redirect_uris": [redirect_uri]},
            )
        assert answer.status_code == 201, answer.text
        client_id: str = answer.json()["client_id"]
        return client_id

    def authorization_url(self, **changes: str) -> str:
        """What the client opens in the browser."""
        parameters = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "state": "story",
            "resource": self.mcp_url,
            "code_challenge": pkce.challenge_of(VERIFIER),
            "code_challenge_method": "S256",
            **changes,
        }
        return f"{self.issuer}/authorize?{urlencode(parameters)}"

    async def answer(self) -> dict[str, str]:
        """The authorization response, once the browser brings it."""
        return await asyncio.wait_for(self.heard.get(), WAIT_SECONDS_MAX)

    async def redeem(self, code: str) -> httpx2.Response:
        """Exchange the code."""
        async with httpx2.AsyncClient(timeout=WAIT_SECONDS_MAX) as http:
            return await http.post(
                f"{self.issuer}/token",
                data={
                    "grant_type": "authorization_code",
                    "code": code,
                    "client_id": self.client_id,
                    "redirect_uri": self.redirect_uri,
                    "code_verifier": VERIFIER,
                },
            )

    async def refresh(self, refresh_token: str) -> httpx2.Response:
        """Use a refresh token."""
        async with httpx2.AsyncClient(timeout=WAIT_SECONDS_MAX) as http:
            return await http.post(
                f"{self.issuer}/token",
                data={
                    "grant_type": "refresh_token",
                    "refresh_token": refresh_token,
                    "client_id": self.client_id,
                },
            )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        parts = urlsplit(head.split(b" ", 2)[1].decode())
        if parts.path == "/callback":
            await self.heard.put(dict(parse_qsl(parts.query)))
        body = b"You can close this window."
        writer.write(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\nconnection: close\r\n"
            b"content-length: %d\r\n\r\n%s" % (len(body), body)
        )
        await writer.drain()
        writer.close()


async def log_in_at_site(page: Page, name: str) -> None:
    """Log in at the site and allow our server there."""
    await give_password(page, name)
    await page.click("input[value=Allow]")


async def give_password(page: Page, name: str) -> None:
    """Log in at the site, which then asks no more if it was allowed to before."""
    await page.fill("input[name=name]", name)
    await page.fill("input[name=pass]", f"{name}-demo")
    await page.click("input[value='Log in']")


@dataclass(frozen=True)
class Scene:
    """Everything a story needs, up and running."""

    issuer: str
    site: RunningFakeDrupal
    site_url: str
    browser: Browser
    client: NativeClient

    @property
    def account_url(self) -> str:
        """The account page."""
        return f"{self.issuer}/account"

    @property
    def site_host(self) -> str:
        """The site's name as our pages show it."""
        return urlsplit(self.site_url).netloc


@asynccontextmanager
async def running_scene(
    dialect: int, environment: Mapping[str, str], *, log_folder: Path
) -> AsyncIterator[Scene]:
    """Site, function, browser and client on free ports; ``environment`` says where state is.

    The site's front is on ``localhost``, its login on ``127.0.0.1``: another host to browsers.
    """
    port = free_port()
    issuer = f"http://localhost:{port}"
    async with (
        running_fake_drupal(dialect, redirect_uris=[f"{issuer}/oauth/callback"]) as site,
        front_with_another_login_host(site.url) as front,
        Emulator(log_folder=log_folder) as emulator,
        running_chromium() as browser,
    ):
        function = FunctionSpec(
            name="oauth",
            handler="functions.oauth.handler.handler",
            environment={
                "STAGE": "local",
                "ISSUER_URL": issuer,
                "MCP_URL": MCP_URL,
                "AWS_ACCESS_KEY_ID": "testing",
                "AWS_SECRET_ACCESS_KEY": "testing",
                "AWS_DEFAULT_REGION": "eu-central-1",
                "DRUPAL_BASE_URL": front,
                "DRUPAL_CLIENT_ID": site.client.client_id,
                "DRUPAL_CLIENT_SECRET": site.client.secret or "",
                "DRUPAL_SCOPES": " ".join(site.scopes),
                **environment,
            },
            port=port,
        )
        await emulator.start(function)
        client = NativeClient(issuer=issuer, mcp_url=MCP_URL)
        async with client.listening():
            yield Scene(issuer, site, front, browser, client)


async def connect(scene: Scene, context: BrowserContext, name: str) -> str:
    """Connect the scene's client for a person; its refresh token.

    The site asks for what it does not know yet: who it is, and whether we may.
    """
    page = await context.new_page()
    await page.goto(scene.client.authorization_url())
    await page.get_by_role("button", name="Allow and continue").click()
    login, allow = page.locator("input[name=pass]"), page.locator("input[value=Allow]")
    done = page.get_by_text("You can close this window.")
    await login.or_(done).wait_for()
    if await login.count():
        await give_password(page, name)
        await allow.or_(done).wait_for()
    if await allow.count():
        await allow.click()
    answer = await scene.client.answer()
    await done.wait_for()
    await page.close()
    tokens = await scene.client.redeem(answer["code"])
    assert tokens.status_code == 200, tokens.text
    refresh_token: str = tokens.json()["refresh_token"]
    return refresh_token


async def tab_to(page: Page, name: str) -> None:
    """Press Tab until the control of this name has the focus, and shows that it has it.

    Whatever lies on the way must show it, too: nobody finds a way that cannot be seen.
    """
    for _ in range(TABS_MAX):
        await page.keyboard.press("Tab")
        focused = await page.evaluate(_FOCUSED)
        if focused is None:
            continue  # between the last control and the first one
        found, outline = focused
        assert outline, f"{found!r} has the focus and does not show it"
        if name in found:
            return
    raise AssertionError(f"no way to {name!r} by keyboard")


async def accessibility_complaints(page: Page, name: str) -> list[str]:
    """What axe finds on a page, and whether it has to be moved sideways to be read."""
    if folder := os.environ.get(SCREENSHOTS):
        size, scheme = page.viewport_size, await page.evaluate(_SCHEME)
        file = f"{name}-{size['width'] if size else 0}-{scheme}.png"
        await page.screenshot(path=str(Path(folder, file)), full_page=True)
    results = await Axe().run(page)
    found = [results.generate_report()] if results.violations_count else []
    if await page.evaluate(_OVERFLOW) > 0:
        found.append(f"{name}: wider than the screen")
    return found


async def contexts_of_every_look(browser: Browser) -> list[BrowserContext]:
    """A narrow and a wide screen, each in the light and in the dark.

    The narrow one is what is left at four times the size (WCAG 2.2, 1.4.10).
    """
    return [
        await browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 740})
        for width in (320, 1280)
        for scheme in _SCHEMES
    ]
