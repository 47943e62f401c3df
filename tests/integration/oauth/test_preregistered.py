"""A client of the settings signs in without registering; the settings have the last word."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import httpx2
import psycopg

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver, query
from tests.integration.oauth.upstream_stub import UpstreamStub

INTRANET = Client(
    client_id=ClientId("intranet"),
    kind=RegistrationKind.PREREGISTERED,
    client_name="Intranet assistant",
    redirect_uris=(WEB_REDIRECT,),
)


def serving(dependencies: Dependencies, upstream: UpstreamStub, *clients: Client) -> Driver:
    """The server with these clients in its settings."""
    preregistered: Mapping[ClientId, Client] = {client.client_id: client for client in clients}
    app = create_app(dataclasses.replace(dependencies, preregistered=preregistered))
    transport = httpx2.ASGITransport(app=app)
    http = httpx2.AsyncClient(transport=transport, base_url=ISSUER)
    return Driver(http=http, upstream=upstream, client_id=INTRANET.client_id)


async def test_a_client_of_the_settings_signs_in_without_registering(
    dependencies: Dependencies, upstream: UpstreamStub, database_admin: psycopg.Connection[Any]
) -> None:
    driver = serving(dependencies, upstream, INTRANET)
    page = await driver.authorize()
    assert "Intranet assistant" in page.text

    tokens = await driver.tokens()

    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200
    row = database_admin.execute("SELECT kind, unused_expires_at FROM app.clients").fetchone()
    assert row == ("preregistered", None)


async def test_what_changes_in_the_settings_counts_from_the_next_request(
    dependencies: Dependencies, upstream: UpstreamStub
) -> None:
    tokens = await serving(dependencies, upstream, INTRANET).tokens()
    moved = dataclasses.replace(INTRANET, redirect_uris=("https://new.example/callback",))
    driver = serving(dependencies, upstream, moved)

    assert (await driver.authorize()).status_code == 400
    driver.redirect_uri = "https://new.example/callback"
    assert (await driver.authorize()).status_code == 200
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200


async def test_a_client_that_left_the_settings_is_no_client_any_more(
    dependencies: Dependencies, upstream: UpstreamStub
) -> None:
    tokens = await serving(dependencies, upstream, INTRANET).tokens()
    driver = serving(dependencies, upstream)

    assert (await driver.authorize()).status_code == 400
    answer = await driver.refresh(tokens["refresh_token"])
    assert (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_an_id_of_the_settings_never_takes_over_a_client_that_registered(
    dependencies: Dependencies,
    driver: Driver,
    upstream: UpstreamStub,
    database_admin: psycopg.Connection[Any],
) -> None:
    await driver.register()
    taken = dataclasses.replace(INTRANET, client_id=ClientId(driver.client_id))
    other = serving(dependencies, upstream, taken)
    other.client_id = driver.client_id
    await other.authorize()

    row = database_admin.execute("SELECT kind, client_name FROM app.clients").fetchone()
    assert row == ("dynamic", "Test app")


async def test_a_client_of_the_settings_hears_of_a_faulty_request_at_once(
    dependencies: Dependencies, upstream: UpstreamStub
) -> None:
    answer = await serving(dependencies, upstream, INTRANET).authorize(code_challenge=None)

    assert query(answer.headers["location"])["error"] == "invalid_request"
