"""Dynamic registration: what clients of the field send, and what nobody may send."""

import json
from typing import Any

import psycopg
import pytest

from tests.integration.oauth.driver import WEB_REDIRECT, Driver

JSON = {"content-type": "application/json"}


async def test_a_registration_is_echoed_without_nulls_and_with_integers(driver: Driver) -> None:
    body = await driver.register(
        grant_types=["authorization_code", "refresh_token", "urn:ietf:params:oauth:x"],
        response_types=["code"],
        token_endpoint_auth_method="none",
        application_type="native",
        client_uri=None,
        scope="tutorial:read offline_access",
        software_id="2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
        logo_uri="https://app.example/logo.png",
        made_up={"deep": [1]},
    )

    issued_at = body.pop("client_id_issued_at")
    assert isinstance(issued_at, int)
    assert body.pop("client_id").startswith("client_")
    assert body == {
        "client_name": "Test app",
        "redirect_uris": [WEB_REDIRECT],
        "grant_types": ["authorization_code", "refresh_token"],
        "response_types": ["code"],
        "token_endpoint_auth_method": "none",
        "scope": "tutorial:read",
        "application_type": "native",
        "software_id": "2e6dc280-f3c3-4e01-99a7-8181dbd1d23d",
    }


async def test_the_three_redirects_of_one_editor_register_together(driver: Driver) -> None:
    uris = [
        "http://localhost:8787/callback",
        "https://www.cursor.com/agents/mcp/oauth/callback",
        "cursor://anysphere.cursor-mcp/oauth/callback",
    ]

    body = await driver.register(redirect_uris=uris)

    assert body["redirect_uris"] == uris


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post", None])
async def test_every_client_becomes_a_public_one(driver: Driver, method: str | None) -> None:
    body = await driver.register(token_endpoint_auth_method=method)

    assert body["token_endpoint_auth_method"] == "none"
    assert "client_secret" not in body


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("  Spaced\u00a0 out\n", "Spaced out"),
        ("Evil\u202egpj.exe\u200b", "Evilgpj.exe"),
        ("\u0000\u0007", "app.example"),
        ("", "app.example"),
        (None, "app.example"),
        ("x" * 400, "x" * 100),
    ],
)
async def test_a_name_is_shown_clean_and_bounded(
    driver: Driver, name: str | None, shown: str
) -> None:
    assert (await driver.register(client_name=name))["client_name"] == shown


@pytest.mark.parametrize(
    "uri",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "file:///etc/passwd",
        "http://app.example/callback",
        "http://127.0.0.1.evil.example/callback",
        "http://127.1/callback",
        "http://0.0.0.0/callback",
        "https://user@app.example/callback",
        "https://user:pass@app.example/callback",
        "https://app.example/callback#fragment",
        "https://app.example/a/../callback",
        "https://app.example/a/%2e%2e/callback",
        "https:///callback",
        "https://app.example:0/callback",
        "https://*.example/callback",
        "https://app.example/call back",
        "https://app.example/cällback",
        "https://app.example/\r\nLocation: x",
        "https://app.example/" + "a" * 2_000,
        "/callback",
        "callback:x",
        "",
    ],
)
async def test_an_unsafe_redirect_is_refused_and_nothing_registered(
    driver: Driver, uri: str, database_admin: psycopg.Connection[Any]
) -> None:
    answer = await driver.http.post("/register", json={"redirect_uris": [WEB_REDIRECT, uri]})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_redirect_uri")
    assert database_admin.execute("SELECT count(*) FROM app.clients").fetchone() == (0,)


@pytest.mark.parametrize(
    ("metadata", "error"),
    [
        ({}, "invalid_redirect_uri"),
        ({"redirect_uris": []}, "invalid_redirect_uri"),
        ({"redirect_uris": None}, "invalid_redirect_uri"),
        ({"redirect_uris": WEB_REDIRECT}, "invalid_redirect_uri"),
        ({"redirect_uris": [1]}, "invalid_redirect_uri"),
        ({"redirect_uris": [WEB_REDIRECT] * 11}, "invalid_redirect_uri"),
        ({"redirect_uris": [WEB_REDIRECT], "client_name": 7}, "invalid_client_metadata"),
        ({"redirect_uris": [WEB_REDIRECT], "client_name": "x" * 600}, "invalid_client_metadata"),
        ({"redirect_uris": [WEB_REDIRECT], "grant_types": "code"}, "invalid_client_metadata"),
        (
            {"redirect_uris": [WEB_REDIRECT], "grant_types": ["client_credentials"]},
            "invalid_client_metadata",
        ),
        (
            {"redirect_uris": [WEB_REDIRECT], "response_types": ["token"]},
            "invalid_client_metadata",
        ),
        ([], "invalid_client_metadata"),
        ("text", "invalid_client_metadata"),
    ],
)
async def test_metadata_that_makes_no_sense_is_refused(
    driver: Driver, metadata: object, error: str
) -> None:
    answer = await driver.http.post("/register", json=metadata)

    assert (answer.status_code, answer.json()["error"]) == (400, error)


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", JSON, 400),
        (b"", JSON, 400),
        (b"\xff\xfe", JSON, 400),
        (b"[" * 60_000, JSON, 400),
        (b'{"redirect_uris":["https://a.example/"],"client_name":"\\ud800"}', JSON, 400),
        (b"redirect_uris=x", {"content-type": "application/x-www-form-urlencoded"}, 415),
        (b'{"client_name":"' + b"x" * 70_000 + b'"}', JSON, 413),
    ],
)
async def test_malformed_bodies_get_json_errors(
    driver: Driver, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await driver.http.post("/register", content=body, headers=headers)

    assert answer.status_code == status
    assert answer.json()["correlation_id"]


async def test_a_bad_client_uri_is_dropped_not_refused(driver: Driver) -> None:
    body = await driver.register(client_uri="javascript:alert(1)")

    assert "client_uri" not in body


async def test_a_registration_with_charset_is_read(driver: Driver) -> None:
    answer = await driver.http.post(
        "/register",
        content=json.dumps({"redirect_uris": [WEB_REDIRECT]}),
        headers={"content-type": "application/json; charset=utf-8"},
    )

    assert answer.status_code == 201


async def test_an_unused_registration_expires_after_a_day(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()

    row = database_admin.execute(
        "SELECT extract(epoch FROM unused_expires_at - created_at) FROM app.clients"
    ).fetchone()
    assert row is not None
    assert int(row[0]) == 86_400
