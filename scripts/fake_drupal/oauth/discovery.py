"""The well-known documents, with the quirks of the add-on that publishes them.

Only where the dialect has that add-on; never corrected.
"""

from urllib.parse import urlsplit

from starlette.responses import Response

from scripts.fake_drupal.answers import html, json_answer
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.methods import methods_of
from scripts.fake_drupal.pages import not_found
from scripts.fake_drupal.site import Site

WELL_KNOWN = "/.well-known/"
_COMMON: dict[str, object] = {
    "response_modes_supported": ["query", "fragment", "form_post"],
    "grant_types_supported": ["refresh_token", "authorization_code", "client_credentials"],
    "token_endpoint_auth_methods_supported": ["client_secret_post", "client_secret_basic"],
    "token_endpoint_auth_signing_alg_values_supported": ["RS256"],
    "code_challenge_methods_supported": ["S256", "plain"],
    "request_uri_parameter_supported": False,
    "require_request_uri_registration": False,
    "claims_supported": ["sub", "iss", "aud", "exp", "iat", "name", "email"],
    "subject_types_supported": ["public"],
    "id_token_signing_alg_values_supported": ["RS256"],
    "service_documentation": "https://www.drupal.org/project/simple_oauth",
    "ui_locales_supported": ["en-US"],
}
ANY_ORIGIN = {"Access-Control-Allow-Origin": "*"}


def discovery_endpoint(site: Site, call: Call) -> Response:
    """``/.well-known/…``; suffixed variants do not exist."""
    if not site.dialect.server_metadata:
        return not_found(site, call)
    documents = {
        "oauth-authorization-server": _authorization_server,
        "openid-configuration": _openid,
        "oauth-protected-resource": _protected_resource,
        "jwks.json": _keys,
    }
    document = documents.get(call.path.removeprefix(WELL_KNOWN))
    if document is None:
        return not_found(site, call)
    if call.method == "OPTIONS":
        return html("", headers={"Allow": "GET"})
    return json_answer(document(site, call), headers=ANY_ORIGIN)


def _issuer(call: Call) -> str:
    """Forced to https and without the port: not the origin the endpoints have."""
    return f"https://{urlsplit(call.origin).hostname}/"


def _scopes(site: Site) -> dict[str, str]:
    """A map with numeric keys and a gap, where a list is due."""
    names = [scope.name for scope in site.dialect.scopes]
    keys = [*range(len(names) - 1), len(names)]
    return {str(key): name for key, name in zip(keys, names, strict=True)}


def _endpoints(call: Call) -> dict[str, object]:
    return {
        "issuer": _issuer(call),
        "authorization_endpoint": f"{call.origin}/oauth/authorize",
        "token_endpoint": f"{call.origin}/oauth/token",
        "jwks_uri": f"{call.origin}/.well-known/jwks.json",
        "userinfo_endpoint": f"{call.origin}/oauth/userinfo",
        "registration_endpoint": f"{call.origin}/oauth/register",
        "oauth_authorization_server_metadata_endpoint": (
            f"{call.origin}/.well-known/oauth-authorization-server"
        ),
    }


def _authorization_server(site: Site, call: Call) -> dict[str, object]:
    return {
        **_endpoints(call),
        "response_types_supported": ["code", "id_token"],
        "revocation_endpoint": f"{call.origin}/oauth/revoke",
        "introspection_endpoint": f"{call.origin}/oauth/introspect",
        "scopes_supported": _scopes(site),
        **_COMMON,
    }


def _openid(site: Site, call: Call) -> dict[str, object]:
    return {
        **_endpoints(call),
        "scopes_supported": _scopes(site),
        "response_types_supported": ["code", "token", "id_token", "code id_token"],
        **_COMMON,
        "request_parameter_supported": False,
        "claims_parameter_supported": True,
        "scopes_parameter_supported": True,
        "authorization_code_flow_enabled": True,
        "implicit_flow_enabled": True,
    }


def _protected_resource(site: Site, call: Call) -> dict[str, object]:
    tools = [method for method in methods_of(site) if method.tool is not None]
    scopes = dict.fromkeys(scope for method in tools if method.tool for scope in method.tool.scopes)
    return {
        "resource": _issuer(call),
        "authorization_servers": [_issuer(call)],
        "bearer_methods_supported": ["header"],
        "scopes_supported": list(scopes),
        "authorization_details_types_supported": [method.listed_name for method in tools],
    }


def _keys(site: Site, _: Call) -> dict[str, object]:
    return {"keys": [site.keys.public_jwk()]}
