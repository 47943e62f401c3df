"""Everything that is answered before anybody asks for a token."""

import pytest

from tests.unit.mcp_endpoint.pieces import ISSUER, an_endpoint


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


@pytest.mark.parametrize("path", ["/mcp", "/nowhere", "/health/live", "/token"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = (await http.get(path)).headers

    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-store"
    assert headers["content-security-policy"].startswith("default-src 'none'")
    assert headers["strict-transport-security"].startswith("max-age=")
    for name in ("WWW-Authenticate", "X-Mcp-Challenge", "Mcp-Session-Id", "Mcp-Protocol-Version"):
        assert name in headers["access-control-expose-headers"]
