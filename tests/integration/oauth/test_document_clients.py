"""Clients that name themselves by the address of their document: sign-in, cache, stand-ins."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from functions.oauth.client_documents.fetcher import FetchedDocument
from functions.oauth.dependencies import Dependencies
from shared.domain.client_documents import (
    FRESH_SECONDS_MAX,
    FRESH_SECONDS_MIN,
    HOST_FETCHES_PER_MINUTE_MAX,
    LAST_GOOD_SECONDS_MAX,
    RETRY_SECONDS,
    fresh_seconds,
    pinned_document,
)
from shared.domain.document_ids import DocumentId
from shared.domain.known_clients import KNOWN_CLIENTS
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver
from tests.support.clock import DatabaseClock
from tests.support.scripted_site import ScriptedSite, http, scripted_site

CLAUDE = "https://claude.ai/oauth/mcp-oauth-client-metadata"
CLAUDE_REDIRECT = "https://claude.ai/api/mcp/auth_callback"
DAY = 86_400


def answer_of(address: str, /, *, max_age: int | None = None, **changes: Any) -> bytes:
    """A document as its host sends it."""
    members = {"client_id": address, "client_name": "Paper", "redirect_uris": [WEB_REDIRECT]}
    headers = {"Content_Type": "application/json"}
    if max_age is not None:
        headers["Cache_Control"] = f"max-age={max_age}"
    return http(200, json.dumps({**members, **changes}), **headers)


@asynccontextmanager
async def document_host(driver: Driver, **changes: Any) -> AsyncIterator[ScriptedSite]:
    """A host of one document, which is the driver's client from now on."""
    async with scripted_site(b"") as host:
        driver.client_id = f"{host.url}/client.json"
        host.answers[:] = [answer_of(driver.client_id, **changes)]
        yield host


def audited(admin: psycopg.Connection[Any], action: str) -> list[dict[str, Any]]:
    found = admin.execute(
        "SELECT details FROM app.audit_events WHERE action = %s ORDER BY occurred_at", [action]
    )
    return [details for (details,) in found.fetchall()]


async def test_a_client_signs_in_by_its_document_and_needs_it_once(driver: Driver) -> None:
    async with document_host(driver) as host:
        tokens = await driver.tokens()
        again = await driver.tokens()

    assert len(host.requests) == 1
    assert tokens["refresh_token"] != again["refresh_token"]
    refreshed = await driver.refresh(tokens["refresh_token"])
    assert refreshed.status_code == 200, refreshed.text


async def test_the_consent_page_shows_where_the_document_is_published(driver: Driver) -> None:
    async with document_host(driver, client_uri="https://somebody-else.example/") as host:
        page = await driver.authorize()

    assert f"published by {host.url.removeprefix('http://')}" in page.text
    assert "Paper" in page.text
    assert "somebody-else.example" not in page.text


async def test_only_redirect_uris_of_the_document_are_used(driver: Driver) -> None:
    async with document_host(driver):
        page = await driver.authorize(redirect_uri="https://evil.example/callback")

    assert page.status_code == 400
    assert "location" not in page.headers


async def test_the_metadata_says_so(driver: Driver) -> None:
    answer = await driver.http.get("/.well-known/oauth-authorization-server")

    assert answer.json()["client_id_metadata_document_supported"] is True


async def test_a_document_is_fetched_again_when_it_is_stale_and_its_changes_count(
    driver: Driver, clock: DatabaseClock, database_admin: psycopg.Connection[Any]
) -> None:
    moved = "https://app.example/moved"
    async with document_host(driver, max_age=600) as host:
        await driver.authorize()
        host.answers[:] = [answer_of(driver.client_id, redirect_uris=[moved])]
        clock.advance(590)
        assert (await driver.authorize()).status_code == 200
        clock.advance(20)
        assert (await driver.authorize()).status_code == 400
        assert (await driver.authorize(redirect_uri=moved)).status_code == 200

    assert len(host.requests) == 2
    assert [one["changed"] for one in audited(database_admin, "client_document:read")] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("said", "kept"),
    [(0, FRESH_SECONDS_MIN), (600, 600), (10**9, FRESH_SECONDS_MAX), (None, 3_600)],
)
def test_a_document_is_kept_between_five_minutes_and_a_day(said: int | None, kept: int) -> None:
    assert fresh_seconds(said) == kept
    assert (FRESH_SECONDS_MIN, FRESH_SECONDS_MAX) == (300, DAY)


async def test_a_host_that_is_away_gets_a_page_and_a_pause(
    driver: Driver, clock: DatabaseClock
) -> None:
    async with scripted_site(http(503)) as host:
        driver.client_id = f"{host.url}/client.json"
        page = await driver.authorize()
        await driver.authorize()
        assert len(host.requests) == 1
        clock.advance(RETRY_SECONDS + 1)
        host.answers[:] = [answer_of(driver.client_id)]
        found = await driver.authorize()

    assert page.status_code == 503
    assert page.headers["retry-after"] == "60"
    assert "cannot be recognised right now" in page.text
    assert found.status_code == 200
    assert len(host.requests) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"client_id": "http://127.0.0.1/other.json"},
        {"client_secret": "s"},
        {"token_endpoint_auth_method": "client_secret_basic"},
        {"redirect_uris": []},
    ],
    ids=["other-id", "secret", "symmetric", "no-redirect"],
)
async def test_a_document_that_is_not_acceptable_ends_on_a_page(
    driver: Driver, changes: dict[str, Any], database_admin: psycopg.Connection[Any]
) -> None:
    async with document_host(driver, **changes):
        page = await driver.authorize()

    assert page.status_code == 400
    assert "cannot be recognised" in page.text
    assert driver.client_id not in page.text
    assert database_admin.execute("SELECT count(*) FROM app.clients").fetchone() == (0,)


@pytest.mark.parametrize(
    "client_id",
    [
        "https://127.1/client.json",
        "https://app.example/a/../client.json",
        "http://app.example/client.json",
        "https://app.example/#x",
        "https://app.example",
    ],
)
async def test_an_address_that_breaks_the_rules_ends_on_a_page(
    driver: Driver, client_id: str
) -> None:
    driver.client_id = client_id

    page = await driver.authorize()

    assert page.status_code == 400
    assert client_id not in page.text


async def test_the_last_good_document_stands_in_for_a_month(
    driver: Driver, clock: DatabaseClock, database_admin: psycopg.Connection[Any]
) -> None:
    async with document_host(driver) as host:
        tokens = await driver.tokens()
        driver.cookie = ""  # another browser: this one would not be asked again
        host.answers[:] = [http(500)]
        clock.advance(2 * DAY)
        assert (await driver.authorize()).status_code == 200
        assert (await driver.authorize()).status_code == 200
        assert len(host.requests) == 2
        clock.advance(LAST_GOOD_SECONDS_MAX - 2 * DAY - 60)
        assert (await driver.authorize()).status_code == 200
        refreshed = await driver.refresh(tokens["refresh_token"])
        clock.advance(DAY)
        assert (await driver.authorize()).status_code == 503

    assert refreshed.status_code == 200, refreshed.text
    assert audited(database_admin, "client_document:failed")[0] == {
        "fault": "status",
        "used": "last_known_good",
    }


async def test_whoever_is_signed_in_refreshes_while_the_host_is_away_for_ever(
    driver: Driver, clock: DatabaseClock
) -> None:
    async with document_host(driver):
        refresh_token = (await driver.tokens())["refresh_token"]
    for _ in range(3):
        clock.advance(20 * DAY)
        answer = await driver.refresh(refresh_token)
        assert answer.status_code == 200, answer.text
        refresh_token = answer.json()["refresh_token"]
    clock.advance(10 * DAY)
    page = await driver.authorize()

    assert page.status_code == 503


async def test_a_host_is_asked_so_often_a_minute_and_no_oftener(
    driver: Driver, clock: DatabaseClock
) -> None:
    async with scripted_site(http(404)) as host:
        for number in range(HOST_FETCHES_PER_MINUTE_MAX + 3):
            driver.client_id = f"{host.url}/{number}.json"
            assert (await driver.authorize()).status_code == 503
        assert len(host.requests) == HOST_FETCHES_PER_MINUTE_MAX
        clock.advance(61)
        await driver.authorize()
        assert len(host.requests) == HOST_FETCHES_PER_MINUTE_MAX + 1


async def test_every_pinned_client_signs_in_though_its_host_is_away(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    pinned = [address for known in KNOWN_CLIENTS for address in known.document_ids]
    pinned += [
        documents.document_id.replace("{id}", "Ui-hkzeEt_FU")
        for known in KNOWN_CLIENTS
        for documents in known.document_families
    ]
    for driver.client_id in pinned:
        document = pinned_document(driver.client_id)
        assert document is not None
        for driver.redirect_uri in document.redirect_uris:
            tokens = await driver.tokens()
            refreshed = await driver.refresh(tokens["refresh_token"])
            assert refreshed.status_code == 200, refreshed.text

    assert audited(database_admin, "client_document:failed") == [
        {"fault": "not_resolved", "used": "pinned"} for _ in pinned
    ]


@dataclass
class ScriptedFetches:
    """What the internet would say."""

    redirect_uris: list[str] | None
    asked: list[str] = field(default_factory=list)

    async def fetch(self, document_id: DocumentId) -> FetchedDocument:
        self.asked.append(document_id.text)
        if self.redirect_uris is None:
            raise DocumentFaultError(DocumentFault.STATUS)
        members = {"client_id": document_id.text, "redirect_uris": self.redirect_uris}
        return FetchedDocument(json.dumps(members).encode(), None)


@pytest.mark.parametrize("drifted", [False, True])
async def test_what_the_host_says_counts_and_a_difference_from_the_pin_is_told(
    dependencies: Dependencies,
    driver: Driver,
    database_admin: psycopg.Connection[Any],
    clock: DatabaseClock,
    *,
    drifted: bool,
) -> None:
    pinned = pinned_document(CLAUDE)
    assert pinned is not None
    uris = ["https://claude.ai/api/mcp/new_callback"] if drifted else list(pinned.redirect_uris)
    fetches = ScriptedFetches(uris)
    clients = replace(dependencies.document_clients, fetcher=fetches)
    app = create_app(replace(dependencies, document_clients=clients))
    async with httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=app), base_url=ISSUER
    ) as asking:
        driver.http, driver.client_id, driver.redirect_uri = asking, CLAUDE, uris[0]
        page = await driver.authorize()
        pinned_page = await driver.authorize(redirect_uri=CLAUDE_REDIRECT)
        # What the host said last is used before the pin.
        fetches.redirect_uris = None
        clock.advance(2 * 3_600)
        later = await driver.authorize()

    assert page.status_code == later.status_code == 200
    assert pinned_page.status_code == (400 if drifted else 200)
    assert audited(database_admin, "client_document:read") == [
        {"changed": False, "differs_from_pin": drifted}
    ]
    assert fetches.asked == [CLAUDE, CLAUDE]


async def test_an_unused_client_comes_back_from_the_cache_after_it_was_removed(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    async with document_host(driver) as host:
        await driver.authorize()
        database_admin.execute("DELETE FROM app.clients")
        page = await driver.authorize()

    assert page.status_code == 200
    assert len(host.requests) == 1


async def test_an_id_that_was_never_at_the_front_door_is_unknown_at_the_back(
    driver: Driver,
) -> None:
    async with document_host(driver) as host:
        answer = await driver.refresh("dmcp_rt_unknown")

    assert answer.status_code == 401
    assert answer.json()["error"] == "invalid_client"
    assert host.connections == 0
