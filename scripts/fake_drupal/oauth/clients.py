"""Which client is calling the token endpoint, and whether it is the one it says.

Never tells an unknown client from a wrong secret.
"""

import hmac
from urllib.parse import urlsplit

from scripts.fake_drupal.call import Call
from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.oauth.errors import OAuthRefusedError
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.site import Site

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "[::1]"})


def authenticate_client(site: Site, call: Call) -> OAuthClient:
    """The client, authenticated if it is confidential (RFC 6749 section 2.3.1).

    Raises:
        OAuthRefusedError: no, unknown or unproven client.
    """
    basic = call.basic_credentials()
    client_id, secret = basic or (call.form.get("client_id"), call.form.get("client_secret"))
    if not client_id:
        raise OAuthRefusedError(Failure.CLIENT_MISSING)
    client = site.store.clients.get(client_id)
    if client is None:
        raise OAuthRefusedError(Failure.CLIENT_UNKNOWN, basic=basic is not None)
    if client.secret is None:
        return client
    if secret is None:
        raise OAuthRefusedError(Failure.SECRET_MISSING)
    if not hmac.compare_digest(secret.encode(), client.secret.encode()):
        raise OAuthRefusedError(Failure.CLIENT_UNKNOWN, basic=basic is not None)
    return client


def redirect_allowed(client: OAuthClient, redirect_uri: str) -> bool:
    """Exact match, or any port of a registered loopback address (RFC 8252 section 7.3)."""
    if redirect_uri in client.redirect_uris:
        return True
    asked = _without_port(redirect_uri)
    return asked is not None and asked in {_without_port(uri) for uri in client.redirect_uris}


def _without_port(uri: str) -> str | None:
    parts = urlsplit(uri)
    host = parts.netloc.rsplit(":", 1)[0]
    if parts.scheme != "http" or host not in LOOPBACK_HOSTS:
        return None
    return parts._replace(netloc=host).geturl()
