"""Abused redirect URIs at every door: refused, told to nobody else, and never repeated."""

import json
from typing import Any
from urllib.parse import urlencode

import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.client_documents import content
from functions.oauth.client_documents.failures import DocumentFault, DocumentFaultError
from functions.oauth.dependencies import Dependencies
from functions.oauth.preregistered_clients import parse
from shared.domain.document_ids import parse_document_id
from shared.settings_group import SettingsError
from tests.integration.oauth.driver import LOOPBACK_REDIRECT, WEB_REDIRECT, Driver
from tests.integration.oauth.echoes import assert_nothing_echoed, assert_stays_on_a_page, get_raw
from tests.support.redirect_abuse import ABUSED_REDIRECTS, CANARY
from tests.support.scripted_site import http, scripted_site

ALL = [uri for uris in ABUSED_REDIRECTS.values() for uri in uris]
LARGE = CANARY * 10_000
"""100 KB."""


async def test_none_is_registered(
    driver: Driver, database_admin: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    for uri in ALL:
        for uris in ([uri], [WEB_REDIRECT, uri]):
            answer = await driver.http.post("/register", json={"redirect_uris": uris})
            assert answer.status_code == 400, ascii(uri)
            assert answer.json()["error"] == "invalid_redirect_uri"
            assert_nothing_echoed(answer, caplog)

    assert database_admin.execute("SELECT count(*) FROM app.clients").fetchone() == (0,)


async def test_none_is_followed_from_the_authorization_endpoint(
    driver: Driver, database_admin: psycopg.Connection[Any], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    uris = [WEB_REDIRECT, LOOPBACK_REDIRECT, "cursor://vendor.app/oauth/callback"]
    for trick, abused in ABUSED_REDIRECTS.items():
        # A client each: refusals are limited by client.
        await driver.register(client_name=trick, redirect_uris=uris)
        for uri in abused:
            # Beside a second fault, which would be told to the client by redirect.
            for changes in ({}, {"response_type": "token"}):
                answer = await driver.authorize(redirect_uri=uri, **changes)
                assert_stays_on_a_page(answer)
                assert_nothing_echoed(answer, caplog)

    assert database_admin.execute("SELECT count(*) FROM app.sign_ins").fetchone() == (0,)


@pytest.mark.parametrize("trick", ABUSED_REDIRECTS)
def test_none_is_taken_from_a_document_or_from_the_settings(trick: str) -> None:
    document_id = parse_document_id("https://app.example/client.json", local=False)
    assert document_id is not None
    for uri in ABUSED_REDIRECTS[trick]:
        members = {"client_id": document_id.text, "redirect_uris": [WEB_REDIRECT, uri]}
        with pytest.raises(DocumentFaultError) as refused:
            content.parse(json.dumps(members).encode(), document_id)
        assert refused.value.fault is DocumentFault.REDIRECT_URIS
        entry = {"client_id": "app", "client_name": "App", "redirect_uris": [uri]}
        with pytest.raises(SettingsError) as mistaken:
            parse(json.dumps([entry]))
        assert CANARY not in str(mistaken.value)


async def test_a_document_with_one_ends_on_a_page_that_repeats_nothing(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    async with scripted_site(b"") as host:
        for number, uris in enumerate(ABUSED_REDIRECTS.values()):
            driver.client_id = f"{host.url}/{number}.json"
            driver.redirect_uri = uris[0]
            members = {"client_id": driver.client_id, "redirect_uris": [uris[0]]}
            host.answers[:] = [http(200, json.dumps(members), Content_Type="application/json")]
            answer = await driver.authorize()
            assert_stays_on_a_page(answer)
            assert_nothing_echoed(answer, caplog)
        assert len(host.requests) == len(ABUSED_REDIRECTS)


async def test_a_redirect_of_100_kb_is_refused_everywhere(
    driver: Driver, dependencies: Dependencies, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    uri = f"https://app.example/{LARGE}"
    registered = await driver.http.post("/register", json={"redirect_uris": [uri]})
    assert (registered.status_code, registered.json()["error"]) == (413, "invalid_request")
    await driver.register()
    query = urlencode(driver.request(redirect_uri=uri)).encode()
    asked = await get_raw(create_app(dependencies), "/authorize", query)
    assert_stays_on_a_page(asked)
    redeemed = await driver.redeem("unknown", redirect_uri=uri)
    assert (redeemed.status_code, redeemed.json()["error"]) == (413, "invalid_request")
    for answer in (registered, asked, redeemed):
        assert_nothing_echoed(answer, caplog)


async def test_a_code_is_not_redeemed_with_another_redirect(
    driver: Driver, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    await driver.register()
    for uris in ABUSED_REDIRECTS.values():
        answer = await driver.redeem(await driver.sign_in(), redirect_uri=uris[0])
        assert answer.status_code == 400
        assert answer.json()["error"] in {"invalid_grant", "invalid_request"}
        assert_nothing_echoed(answer, caplog)
