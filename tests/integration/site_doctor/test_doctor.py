"""The doctor examines the fake site, which is planted with one fault after the other."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from scripts.fake_drupal.accounts import DISCOVER_TOOLS
from scripts.fake_drupal.browser import BrowserStuckError, ScriptedBrowser
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.site_doctor.__main__ import examine
from scripts.site_doctor.findings import Finding, Verdict
from shared.upstream.drupal_site import DrupalSite

Plant = Callable[[RunningFakeDrupal], object]


def _site(drupal: RunningFakeDrupal, **changes: Any) -> DrupalSite:
    site = DrupalSite(
        base_url=drupal.url,
        client_id=drupal.client.client_id,
        client_secret=drupal.client.secret,
        scopes=drupal.scopes,
        redirect_uri=drupal.client.redirect_uris[0],
    )
    return replace(site, **changes)


async def _examined(
    drupal: RunningFakeDrupal, site: DrupalSite | None = None, *, days: int = 14
) -> dict[str, Finding]:
    """What the doctor finds when maya signs in and pastes the address."""
    loop = asyncio.get_running_loop()

    async def sign_in(url: str) -> str:
        async with httpx.AsyncClient() as http:
            browser = ScriptedBrowser(http)
            try:
                return await browser.log_in_and_allow(url, name="maya", password="maya-demo")
            except BrowserStuckError:
                return url  # the page that the person is left with

    def paste(text: str) -> str:
        url = re.search(r"^  (http\S+)$", text, re.MULTILINE)
        assert url
        return asyncio.run_coroutine_threadsafe(sign_in(url[1]), loop).result()

    found = await examine(site or _site(drupal), ask=paste, refresh_token_days=days)
    return {one.check: one for one in found}


@pytest.mark.parametrize("dialect", [5, 6])
async def test_a_well_made_site_is_praised_and_gets_its_tokens_back(dialect: int) -> None:
    async with running_fake_drupal(dialect) as drupal:
        drupal.control.set(access_token_seconds=3_600, refresh_replay_seconds=60)

        found = await _examined(drupal)

        # The fake site does not tell its time.
        assert found.pop("clock").verdict is Verdict.ADVICE
        # Nor how long its refresh tokens live.
        life = found.pop("refresh token life")
        assert life.verdict is Verdict.BY_HAND
        assert "after 7 days" in life.told
        if dialect == 5:  # it has no way to revoke an access token
            assert found.pop("modules").verdict is Verdict.ADVICE
        assert [one for one in found.values() if one.verdict is not Verdict.GOOD] == []
        if dialect == 6:  # the older one has no way to revoke an access token
            assert drupal.control.live_tokens("maya")[0] == 0


async def test_access_tokens_that_outlive_the_keep_alive_are_found() -> None:
    async with running_fake_drupal(6) as drupal:
        drupal.control.set(access_token_seconds=2 * 86_400)

        found = await _examined(drupal, days=3)

    assert found["refresh token life"].verdict is Verdict.ADVICE
    assert "after 1.5 days" in found["refresh token life"].told


def _with_client(**changes: Any) -> Plant:
    return lambda drupal: drupal.control.put_client(replace(drupal.client, **changes))


def _set(**switches: Any) -> Plant:
    return lambda drupal: drupal.control.set(**switches)


def _fail(kind: str, route: str) -> Plant:
    return lambda drupal: drupal.control.fail(kind, route=route, times=10)


def _without(permission: str) -> Plant:
    return lambda drupal: drupal.control.remove_permission("authenticated", permission)


TWELVE: dict[str, tuple[str, Verdict, Plant]] = {
    "default user set": (
        "default user",
        Verdict.BROKEN,
        _with_client(default_uid=3),
    ),
    "no PKCE": ("PKCE", Verdict.BROKEN, _set(pkce_ignored=True)),
    "redirect URI wrong": (
        "redirect URI",
        Verdict.BROKEN,
        _with_client(redirect_uris=("https://elsewhere.example/oauth/callback",)),
    ),
    "token lifetimes too short": ("token life", Verdict.ADVICE, _set(access_token_seconds=300)),
    "no refresh buffer": ("refresh buffer", Verdict.ADVICE, lambda _: None),
    "scope not mapped to a role": (
        "roles",
        Verdict.BROKEN,
        lambda drupal: drupal.control.set_roles("maya", "editor"),
    ),
    "permission missing": ("tools", Verdict.BROKEN, _without(DISCOVER_TOOLS)),
    "/mcp/tools/list off": ("modules", Verdict.BROKEN, _set(paths_missing=["/mcp/tools/list"])),
    "clock skew": ("clock", Verdict.BROKEN, _set(clock_off_seconds=-120)),
    "HTML errors instead of JSON": ("errors", Verdict.BROKEN, _fail("error_html", "token")),
    "CDN blocking": ("edge", Verdict.BROKEN, _fail("bot_challenge", "jsonrpc")),
    "module missing or old version": (
        "modules",
        Verdict.ADVICE,
        _set(paths_missing=["/oauth/revoke"]),
    ),
}
OTHERS: dict[str, tuple[str, Verdict, Plant]] = {
    "another person's token": (
        "subject",
        Verdict.BROKEN,
        lambda drupal: drupal.control.switch_subject("maya", "felix"),
    ),
    "no refresh grant": ("refresh", Verdict.BROKEN, _with_client(grants=("authorization_code",))),
    "maintenance": ("reachable", Verdict.BROKEN, _fail("maintenance_html", "any")),
    "a page before the token endpoint": ("errors", Verdict.BROKEN, _fail("proxy_page", "token")),
    "no JSON-RPC": ("modules", Verdict.BROKEN, _set(paths_missing=["/jsonrpc"])),
}


@pytest.mark.parametrize(
    ("check", "verdict", "plant"), (TWELVE | OTHERS).values(), ids=list(TWELVE | OTHERS)
)
async def test_what_is_wrong_with_a_site_is_found_and_a_remedy_named(
    check: str, verdict: Verdict, plant: Plant
) -> None:
    async with running_fake_drupal(6) as drupal:
        plant(drupal)

        found = await _examined(drupal)

        assert found[check].verdict is verdict
        assert found[check].remedy


def test_there_are_twelve() -> None:
    assert len(TWELVE) == 12


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_secret": "another"}, id="secret"),
        pytest.param({"client_id": "another"}, id="client"),
    ],
)
async def test_a_client_that_the_site_does_not_know_is_told(changes: dict[str, str]) -> None:
    async with running_fake_drupal(6) as drupal:
        found = await _examined(drupal, _site(drupal, **changes))

        assert found["client"].verdict is Verdict.BROKEN


async def test_a_scope_that_the_site_does_not_know_is_told() -> None:
    async with running_fake_drupal(6) as drupal:
        found = await _examined(drupal, _site(drupal, scopes=("unheard_of",)))

        assert found["sign-in"].verdict is Verdict.BROKEN
        assert "invalid_scope" in found["sign-in"].told


async def test_a_default_user_that_nothing_shows_is_to_be_looked_for_by_hand() -> None:
    async with running_fake_drupal(6) as drupal:
        found = await _examined(drupal, _site(drupal, scopes=("member",)))

    assert found["default user"].verdict is Verdict.BY_HAND


async def test_a_site_that_is_not_there_is_told() -> None:
    async with running_fake_drupal(6) as drupal:
        gone = _site(drupal)

    found = await examine(gone, ask=None, refresh_token_days=14)

    assert [(one.check, one.verdict) for one in found] == [("reachable", Verdict.BROKEN)]
