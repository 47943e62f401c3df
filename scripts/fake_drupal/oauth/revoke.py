"""``/oauth/revoke`` and ``/oauth/introspect``, with the defect that both share.

They look the posted string up as a token *identifier*: a JWT or a refresh token is never found.
"""

import hashlib
import hmac
from uuid import UUID

from starlette.responses import Response

from scripts.fake_drupal.answers import html, json_answer
from scripts.fake_drupal.bearer import CallRefusedError, forbidden, identify
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.oauth.tokens import AccessTokenRefusedError, check_access_token
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.site import Site

MISSING_TOKEN = {"error": "invalid_request", "error_description": "Missing token parameter"}


def revoke_endpoint(site: Site, call: Call) -> Response:
    """Revocation (RFC 7009): 200 for every authenticated client, effective for a ``jti`` only."""
    _refuse_basic(site, call)
    client = _posting_client(site, call)
    if client is None:
        return json_answer({"error": "invalid_client"}, status=401)
    token = call.form.get("token")
    if not token:
        return json_answer(MISSING_TOKEN, status=400)
    site.store.access_tokens.delete(token)
    return html("")


def _refuse_basic(site: Site, call: Call) -> None:
    """The basic_auth module takes a Basic header for a person's and refuses it here."""
    if call.basic_credentials() is not None and site.behaviours.basic_auth:
        raise forbidden(site, call, "")


def _posting_client(site: Site, call: Call) -> OAuthClient | None:
    client = site.store.clients.get(call.form.get("client_id", ""))
    if client is None or client.secret is None:
        return client
    given = call.form.get("client_secret", "")
    return client if hmac.compare_digest(given.encode(), client.secret.encode()) else None


def introspect_endpoint(site: Site, call: Call) -> Response:
    """Introspection (RFC 7662): wants a person's bearer token, not a client's credentials."""
    if call.method != "POST":
        members = {
            "error": "invalid_request",
            "error_description": "Only POST requests are allowed.",
        }
        return json_answer(members, status=405, headers={"Allow": "POST"})
    _refuse_basic(site, call)
    _require_person(site, call)
    token = call.form.get("token")
    if not token:
        return json_answer(MISSING_TOKEN, status=400)
    return json_answer(_introspected(site, call, token))


def _require_person(site: Site, call: Call) -> None:
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer":
        members = {"error": "invalid_client", "error_description": "Authentication required"}
        challenge = {"WWW-Authenticate": "Bearer"}
        raise CallRefusedError(json_answer(members, status=401, headers=challenge))
    try:
        check_access_token(site, value.strip())
    except AccessTokenRefusedError as refused:
        members = {
            "error": "invalid_client",
            "error_description": "Bearer token authentication failed",
        }
        headers = {
            "WWW-Authenticate": 'Bearer error="invalid_token"',
            "Cache-Control": "no-store, private",
        }
        raise CallRefusedError(json_answer(members, status=401, headers=headers)) from refused
    identify(site, call)


def _introspected(site: Site, call: Call, jti: str) -> dict[str, object]:
    row = site.store.access_tokens.get(jti)
    if row is None or row.expires_at <= site.clock.now():
        return {"active": False}
    account = site.store.account(row.uid)
    client_uuid = _uuid(f"client:{row.client_id}")
    return {
        "active": True,
        "scope": " ".join(row.scopes),
        "client_id": client_uuid,
        "username": account.name if account else "",
        "sub": _uuid(f"user:{row.uid}"),
        "token_type": "Bearer",
        "exp": int(row.expires_at),
        "iat": int(row.issued_at),
        "aud": client_uuid,
        "iss": call.origin,
        "jti": _uuid(f"token:{jti}"),
    }


def _uuid(seed: str) -> str:
    return str(UUID(bytes=hashlib.sha256(seed.encode()).digest()[:16]))
