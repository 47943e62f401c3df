"""Everything that is answered before anybody asks for a token."""

import httpx2
import pytest

from functions.mcp_endpoint.composition import refusing
from shared.discovery.security_headers import security_headers
from shared.errors.base import ServiceError
from tests.unit.mcp_endpoint.pieces import ISSUER, an_endpoint, build


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "DELETE", "PUT", "PATCH"])
async def test_other_methods_are_405_with_allow(method: str, path: str) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        answer = await http.request(method, path)

    assert answer.status_code == 405
    assert answer.headers["allow"] == "POST, OPTIONS"
    assert "www-authenticate" not in answer.headers


@pytest.mark.parametrize("path", ["/mcp", "/mcp/"])
async def test_a_preflight_allows_any_page_without_credentials(path: str) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        answer = await http.options(path, headers={"origin": "https://page.example.org"})

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "Authorization" in answer.headers["access-control-allow-headers"]
    assert "access-control-allow-credentials" not in answer.headers


async def test_the_path_with_a_slash_is_the_same_endpoint() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.url += "/"
        async with endpoint.client() as client:
            listed = await client.list_tools()

    assert listed.tools[0].name == "search_tutorials"


@pytest.mark.parametrize("path", ["/", "/other", "/mcp/mcp", "/mcp//", "/health"])
async def test_other_paths_are_a_json_404(path: str) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        answer = await http.get(path)

    assert answer.status_code == 404
    assert answer.json()["code"] == "not_found"


@pytest.mark.parametrize("path", ["/authorize", "/token", "/register", "/revoke"])
async def test_guessed_addresses_of_the_authorization_server_lead_there(path: str) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        answer = await http.post(f"{path}?a=1%202&b=3", content=b"x=1")

    assert answer.status_code == 307
    assert answer.headers["location"] == f"{ISSUER}{path}?a=1%202&b=3"


async def test_the_resource_metadata_is_where_the_challenge_says() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        refused = await http.post("/mcp", json={"jsonrpc": "2.0", "id": 1, "method": "ping"})
        named = refused.headers["www-authenticate"].split('resource_metadata="')[1].split('"')[0]
        document = await http.get(named)

    assert document.status_code == 200
    assert document.json()["resource"] == endpoint.url
    assert document.json()["authorization_servers"] == [ISSUER]
    assert document.headers["cache-control"] == "public, max-age=300"
    assert document.headers.get_list("access-control-allow-origin") == ["*"]


async def test_health_needs_nothing() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        endpoint.bearers.outage = RuntimeError()
        answer = await http.get("/health/live")

    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})


async def test_readiness_is_told_without_a_token() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        answer = await http.get("/health/ready")

    assert (answer.status_code, answer.headers["cache-control"]) == (200, "no-store")
    assert answer.json()["dependencies"]["postgres"]["state"] == "ok"
    assert endpoint.bearers.lookups == 0


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "OPTIONS", "DELETE"])
@pytest.mark.parametrize(
    "path",
    [
        "/mcp",
        "/nowhere",
        "/health/live",
        "/authorize",
        "/token",
        "/register",
        "/revoke",
        "/.well-known/oauth-protected-resource",
        "/.well-known/oauth-authorization-server",
        "/.well-known/unknown",
    ],
)
async def test_every_answer_carries_the_security_headers(path: str, method: str) -> None:
    app = build("https://mcp.example/mcp").app
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://mcp.example") as http:
        headers = (await http.request(method, path)).headers

    wanted = {**security_headers(https=True)}
    if path.startswith("/.well-known/") and method not in {"POST", "DELETE"}:
        wanted["cache-control"] = "public, max-age=300"
    assert {name: headers.get(name) for name in wanted} == wanted
    for name in ("WWW-Authenticate", "X-Mcp-Challenge", "Mcp-Session-Id", "Mcp-Protocol-Version"):
        if not path.startswith("/.well-known/"):
            assert name in headers["access-control-expose-headers"]


async def test_plain_http_never_promises_https() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = (await http.get("/health/live")).headers

    assert "strict-transport-security" not in headers


@pytest.mark.parametrize("https", [True, False])
async def test_the_answer_of_an_app_that_cannot_be_put_together_carries_them_too(
    https: bool,  # noqa: FBT001 - a parameter of the test
) -> None:
    app = refusing(ServiceError(), https=https)
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="https://mcp.example") as http:
        answer = await http.post("/mcp")

    assert answer.status_code == 500
    assert answer.json()["error"]
    wanted = security_headers(https=https)
    assert {name: answer.headers.get(name) for name in wanted} == wanted
    assert ("strict-transport-security" in answer.headers) is https
