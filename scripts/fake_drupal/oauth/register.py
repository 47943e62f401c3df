"""``POST /oauth/register``: dynamic client registration as the site's add-on does it.

Answers 200, not 201, and makes a confidential client even of an empty document: Drupal does.
"""

import secrets
from urllib.parse import urlsplit

from starlette.responses import Response

from scripts.fake_drupal.answers import json_answer
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.site import Site

CLIENT_ID_BYTES = 32
SCHEMES_REFUSED = frozenset({"javascript", "data", "file", "vbscript", ""})
DEFAULT_GRANTS = ["authorization_code", "refresh_token"]


class MetadataRefusedError(Exception):
    """The metadata are refused; the text names the reason."""


def register_endpoint(site: Site, call: Call) -> Response:
    """Register a client (RFC 7591 section 3.1)."""
    try:
        client = _client(call)
    except MetadataRefusedError as refused:
        members = {
            "error": "invalid_client_metadata",
            "error_description": f"Invalid client metadata: {refused}",
        }
        return json_answer(members, status=400)
    site.store.clients.put(client.client_id, client)
    return json_answer(_described(site, call, client))


def _client(call: Call) -> OAuthClient:
    try:
        given = call.json()
    except ValueError as error:
        raise MetadataRefusedError("Syntax error") from error
    if not isinstance(given, dict):
        raise MetadataRefusedError("Syntax error")
    uris = [str(uri) for uri in given.get("redirect_uris", [])]
    for uri in uris:
        if urlsplit(uri).scheme in SCHEMES_REFUSED:
            raise MetadataRefusedError(f"Invalid redirect URI: {uri}")
    public = given.get("token_endpoint_auth_method") == "none"
    return OAuthClient(
        client_id=secrets.token_urlsafe(CLIENT_ID_BYTES),
        label=str(given.get("client_name", "Dynamically Registered Client")),
        secret=None if public else secrets.token_urlsafe(CLIENT_ID_BYTES),
        redirect_uris=tuple(uris),
        grants=tuple(str(name) for name in given.get("grant_types", DEFAULT_GRANTS)),
    )


def _described(site: Site, call: Call, client: OAuthClient) -> dict[str, object]:
    members: dict[str, object] = {
        "client_id": client.client_id,
        "registration_access_token": secrets.token_urlsafe(CLIENT_ID_BYTES),
        "registration_client_uri": f"{call.origin}/oauth/register/{client.client_id}",
        "client_id_issued_at": int(site.clock.now()),
    }
    if client.secret is not None:
        members |= {"client_secret": client.secret, "client_secret_expires_at": 0}
    members["client_name"] = client.label
    if client.redirect_uris:
        members["redirect_uris"] = list(client.redirect_uris)
    members["grant_types"] = list(client.grants)
    return members
