"""Every path that clients of the field probe, as both doors answer it."""

import json
from typing import Any

import pytest

from shared.discovery.routes import DiscoveryAnswer, find

ISSUER = "https://auth.example"
MCP_URL = "https://mcp.example/mcp"
PROTECTED = "/.well-known/oauth-protected-resource"
SERVER = "/.well-known/oauth-authorization-server"
OPENID = "/.well-known/openid-configuration"


def ask(path: str, method: str = "GET", issuer: str = ISSUER) -> DiscoveryAnswer:
    answer = find(path, method=method, issuer=issuer, mcp_url=MCP_URL)
    assert answer is not None
    return answer


def document(path: str, issuer: str = ISSUER) -> dict[str, Any]:
    answer = ask(path, issuer=issuer)
    assert answer.status == 200
    body: dict[str, Any] = json.loads(answer.body)
    return body


@pytest.mark.parametrize(
    ("path", "resource"),
    [
        (PROTECTED, MCP_URL),
        (f"{PROTECTED}/mcp", MCP_URL),
        (f"{PROTECTED}/mcp/", f"{MCP_URL}/"),
    ],
)
def test_protected_resource_metadata_echoes_the_form_that_was_asked(
    path: str, resource: str
) -> None:
    body = document(path)

    assert body["resource"] == resource
    assert body["authorization_servers"] == [ISSUER]
    assert body["scopes_supported"] == ["tutorial:search", "tutorial:read", "site:tools"]
    assert "offline_access" not in body["scopes_supported"]


@pytest.mark.parametrize("path", [SERVER, OPENID])
def test_authorization_server_metadata_names_only_what_is_enforced(path: str) -> None:
    body = document(path)

    assert body["issuer"] == ISSUER
    assert body["authorization_endpoint"] == f"{ISSUER}/authorize"
    assert body["token_endpoint"] == f"{ISSUER}/token"
    assert body["registration_endpoint"] == f"{ISSUER}/register"
    assert body["revocation_endpoint"] == f"{ISSUER}/revoke"
    assert body["code_challenge_methods_supported"] == ["S256"]
    assert body["token_endpoint_auth_methods_supported"] == ["none", "private_key_jwt"]
    assert body["authorization_response_iss_parameter_supported"] is True
    assert None not in body.values()


@pytest.mark.parametrize(
    "path",
    [f"{SERVER}/mcp", f"{OPENID}/mcp", f"/mcp{OPENID}", f"{PROTECTED}/other", "/.well-known/x"],
)
def test_a_path_whose_issuer_would_not_match_is_a_json_404(path: str) -> None:
    answer = ask(path)

    assert answer.status == 404
    assert json.loads(answer.body)["error"]
    assert answer.headers["content-type"] == "application/json"


def test_an_issuer_with_a_path_is_found_at_its_own_paths() -> None:
    issuer = "https://one.example/mcp"

    for path in (f"{SERVER}/mcp", f"{OPENID}/mcp", f"/mcp{OPENID}"):
        assert document(path, issuer=issuer)["issuer"] == issuer
    assert ask(SERVER, issuer=issuer).status == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_writing_is_a_json_405(method: str) -> None:
    answer = ask(SERVER, method=method)

    assert answer.status == 405
    assert answer.headers["allow"] == "GET, HEAD, OPTIONS"
    assert json.loads(answer.body)["code"] == "method_not_allowed"


def test_head_has_the_length_and_no_body() -> None:
    full, head = ask(SERVER), ask(SERVER, method="HEAD")

    assert head.body == b""
    assert head.headers == full.headers
    assert head.headers["content-length"] == str(len(full.body))


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_browsers_of_any_origin_may_read(method: str) -> None:
    answer = ask(SERVER, method=method)

    assert answer.status == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert answer.headers["cache-control"] == "public, max-age=300"
    assert answer.body


@pytest.mark.parametrize("path", ["/", "/mcp", "/token", "/well-known/x"])
def test_other_paths_are_not_discovery(path: str) -> None:
    assert find(path, issuer=ISSUER, mcp_url=MCP_URL) is None
