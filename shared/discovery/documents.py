"""The metadata documents by which clients find their way, as pure functions of our addresses.

They never name anything that is not enforced, and need neither database nor keys.
"""

from collections.abc import Sequence

from shared.domain.clients import SIGNING_ALGORITHMS
from shared.domain.scopes import SCOPES_OFFERED

JsonObject = dict[str, object]

RESOURCE_NAME = "Tutorials over MCP"
AUTHORIZE_PATH = "/authorize"
TOKEN_PATH = "/token"  # noqa: S105 - a path, not a password
REGISTER_PATH = "/register"
REVOKE_PATH = "/revoke"

AUTH_METHODS = ("none", "private_key_jwt")


def protected_resource(
    mcp_url: str,
    issuer: str,
    scopes: Sequence[str] = SCOPES_OFFERED,
    resource: str | None = None,
) -> JsonObject:
    """Protected resource metadata (RFC 9728 section 2).

    ``resource`` replaces ``mcp_url`` where a client asked by a variant of it: strict clients
    compare the member with the URL they were given.
    """
    return {
        "resource": resource or mcp_url,
        "authorization_servers": [issuer],
        "scopes_supported": list(scopes),
        "bearer_methods_supported": ["header"],
        "resource_name": RESOURCE_NAME,
    }


def authorization_server(
    issuer: str, scopes: Sequence[str] = SCOPES_OFFERED, *, registration: bool = True
) -> JsonObject:
    """Authorization server metadata (RFC 8414 section 2, RFC 9207 section 3).

    ``offline_access`` is not listed: refresh tokens are always issued, and naming it makes some
    clients ask for consent again. Without ``registration`` its endpoint is not named.
    """
    registers = {"registration_endpoint": f"{issuer}{REGISTER_PATH}"} if registration else {}
    return {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}{AUTHORIZE_PATH}",
        "token_endpoint": f"{issuer}{TOKEN_PATH}",
        **registers,
        "revocation_endpoint": f"{issuer}{REVOKE_PATH}",
        "scopes_supported": list(scopes),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "token_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "revocation_endpoint_auth_methods_supported": list(AUTH_METHODS),
        "revocation_endpoint_auth_signing_alg_values_supported": list(SIGNING_ALGORITHMS),
        "code_challenge_methods_supported": ["S256"],
        # draft-ietf-oauth-client-id-metadata-document section 5
        "client_id_metadata_document_supported": True,
        "authorization_response_iss_parameter_supported": True,
    }
