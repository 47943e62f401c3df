"""Registering again, being counted by family, and registration turned off."""

import asyncio
import dataclasses
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from tests.integration.oauth.driver import ISSUER, LOOPBACK_REDIRECT, WEB_REDIRECT, Driver

NATIVE = {"redirect_uris": [LOOPBACK_REDIRECT]}


def rows(admin: psycopg.Connection[Any]) -> int:
    found = admin.execute("SELECT count(*) FROM app.clients").fetchone()
    assert found is not None
    return int(found[0])


async def test_the_same_metadata_again_is_the_same_client(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    first = await driver.register(software_id="x", made_up=1)
    again = await driver.register(software_id="x", made_up=2)

    assert again == first
    assert rows(database_admin) == 1
    assert database_admin.execute("SELECT count(*) FROM app.audit_events").fetchone() == (1,)


async def test_many_registrations_at_once_make_one_client(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    answers = await asyncio.gather(*(driver.register() for _ in range(10)))

    assert len({answer["client_id"] for answer in answers}) == 1
    assert rows(database_admin) == 1


async def test_another_loopback_port_is_no_other_client_and_is_echoed(driver: Driver) -> None:
    first = await driver.register(redirect_uris=["http://localhost:3118/callback"])
    again = await driver.register(redirect_uris=["http://localhost:40001/callback"])

    assert again["client_id"] == first["client_id"]
    assert again["redirect_uris"] == ["http://localhost:40001/callback"]


@pytest.mark.parametrize(
    "changes",
    [
        {"client_name": "Another"},
        {"software_id": "another"},
        {"software_version": "2"},
        {"client_uri": "https://app.example"},
        {"scope": "tutorial:read"},
        {"application_type": "native"},
        {"grant_types": ["authorization_code"]},
        {"redirect_uris": [WEB_REDIRECT, "https://app.example/other"]},
        {"redirect_uris": ["http://127.0.0.1/callback"]},
        {"redirect_uris": ["http://localhost/callback"]},
        {"redirect_uris": ["https://app.example:8443/callback"]},
    ],
)
async def test_whatever_differs_makes_another_client(
    driver: Driver, changes: dict[str, Any]
) -> None:
    first = await driver.register()

    assert (await driver.register(**changes))["client_id"] != first["client_id"]


async def test_registering_again_keeps_an_unused_client_for_another_day(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    database_admin.execute(
        "UPDATE app.clients SET unused_expires_at = app.now() + interval '1 minute'"
    )
    await driver.register()

    left = database_admin.execute(
        "SELECT unused_expires_at > app.now() + interval '23 hours' FROM app.clients"
    ).fetchone()
    assert left == (True,)


async def test_registering_again_never_makes_a_used_client_expire(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()
    await driver.register()

    found = database_admin.execute("SELECT unused_expires_at FROM app.clients").fetchone()
    assert found == (None,)


async def test_a_sign_in_is_audited_with_whose_client_it_was(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    driver.redirect_uri = "https://claude.ai/api/mcp/auth_callback"
    await driver.register(client_name="Claude")
    await driver.sign_in()

    found = database_admin.execute(
        "SELECT action, details->>'client_family' FROM app.audit_events"
        " WHERE details ? 'client_family' ORDER BY action"
    ).fetchall()
    assert found == [
        ("client:registered", "claude"),
        ("grant:created", "claude"),
        ("sign_in:completed", "claude"),
    ]


async def test_consent_warns_of_a_known_name_that_returns_elsewhere(driver: Driver) -> None:
    await driver.register(client_name="Claude")

    assert "calls itself Claude" in (await driver.authorize()).text


async def test_registration_turned_off_is_said_and_not_advertised(
    dependencies: Dependencies, database_admin: psycopg.Connection[Any]
) -> None:
    closed = dataclasses.replace(dependencies, dynamic_registration_enabled=False)
    transport = httpx2.ASGITransport(app=create_app(closed))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        answer = await http.post("/register", json=NATIVE)
        document = await http.get("/.well-known/oauth-authorization-server")

    assert (answer.status_code, answer.json()["error"]) == (403, "access_denied")
    assert answer.json()["code"] == "registration_disabled"
    assert "registration_endpoint" not in document.json()
    assert rows(database_admin) == 0
