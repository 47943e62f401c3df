"""What the application answers around its flows: documents, preflights, unknown paths, health."""

from dataclasses import replace

import httpx2
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.domain.scopes import SCOPE_TEXTS, Scope, offered_scopes
from tests.integration.oauth.driver import ISSUER, Driver
from tests.integration.oauth.upstream_stub import UpstreamStub


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
async def test_the_back_channel_answers_preflights_of_any_origin(driver: Driver, path: str) -> None:
    answer = await driver.http.options(
        path,
        headers={"origin": "http://localhost:6274", "access-control-request-method": "POST"},
    )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "POST" in answer.headers["access-control-allow-methods"]
    assert "Content-Type" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


@pytest.mark.parametrize("path", ["/token", "/register", "/revoke"])
async def test_back_channel_errors_can_be_read_by_browsers(driver: Driver, path: str) -> None:
    answer = await driver.http.post(path, headers={"origin": "http://localhost:6274"})

    assert answer.status_code == 415
    assert answer.headers["access-control-allow-origin"] == "*"


@pytest.mark.parametrize("path", ["/authorize", "/oauth/callback"])
async def test_pages_answer_no_preflight(driver: Driver, path: str) -> None:
    answer = await driver.http.options(path, headers={"origin": "https://evil.example"})

    assert answer.status_code == 405
    assert "access-control-allow-origin" not in answer.headers


async def test_documents_need_no_dependency(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    answer = await driver.http.get("/.well-known/oauth-authorization-server")

    assert answer.status_code == 200
    assert answer.json()["issuer"] == ISSUER
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.headers["strict-transport-security"]


async def test_where_the_site_has_no_tools_nobody_is_asked_to_allow_them(
    dependencies: Dependencies, upstream: UpstreamStub
) -> None:
    offered = offered_scopes(site_tools=False)
    app = create_app(replace(dependencies, scopes_offered=offered))
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver = Driver(http=http, upstream=upstream)
        await driver.register()
        document = await http.get("/.well-known/oauth-authorization-server")
        page = await driver.authorize(scope="site:tools tutorial:search openid")

    assert document.json()["scopes_supported"] == list(offered)
    assert SCOPE_TEXTS[Scope.SEARCH] in page.text
    assert SCOPE_TEXTS[Scope.SITE_TOOLS] not in page.text


@pytest.mark.parametrize(
    ("method", "path", "status", "error"),
    [
        ("GET", "/", 404, "invalid_request"),
        ("GET", "/docs", 404, "invalid_request"),
        ("GET", "/openapi.json", 404, "invalid_request"),
        ("GET", "/redoc", 404, "invalid_request"),
        ("GET", "/token/", 404, "invalid_request"),
        ("GET", "/token", 405, "invalid_request"),
        ("DELETE", "/register", 405, "invalid_request"),
        ("POST", "/.well-known/oauth-authorization-server", 405, "invalid_request"),
    ],
)
async def test_what_is_not_there_is_said_in_json(
    driver: Driver, method: str, path: str, status: int, error: str
) -> None:
    answer = await driver.http.request(method, path)

    assert answer.status_code == status
    assert answer.json()["error"] == error
    if status == 405:
        assert answer.headers["allow"]


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_health_asks_nobody(driver: Driver, method: str) -> None:
    answer = await driver.http.request(method, "/health/live")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_readiness_tells_how_the_dependencies_are(driver: Driver, method: str) -> None:
    answer = await driver.http.request(method, "/health/ready")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    if method == "GET":
        told = answer.json()
        assert told["status"] == "ready"
        assert told["dependencies"]["postgres"]["state"] == "ok"
        assert told["dependencies"]["postgres"]["last_error"] is None
