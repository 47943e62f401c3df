"""Every well-known path that clients probe, answered alike by both web doors.

Nothing here waits for anything: discovery must work while database, keys and Drupal are away.
"""

import json
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urlsplit

from shared.discovery import documents
from shared.domain.scopes import SCOPES_OFFERED
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import as_oauth_error

CACHE_SECONDS = 300

_PROTECTED_RESOURCE = "/.well-known/oauth-protected-resource"
_AUTHORIZATION_SERVER = "/.well-known/oauth-authorization-server"
_OPENID = "/.well-known/openid-configuration"
_ANYWHERE = "/.well-known/"
_METHODS = "GET, HEAD, OPTIONS"

_CORS = {
    "access-control-allow-origin": "*",
    "access-control-allow-methods": _METHODS,
    "access-control-allow-headers": "Authorization, Content-Type, MCP-Protocol-Version",
    "access-control-max-age": "600",
}


class DiscoveryAnswer(NamedTuple):
    """An HTTP answer; header names are lower case. A HEAD's body is empty, its length is not."""

    status: int
    headers: dict[str, str]
    body: bytes


class _NotFoundError(ServiceError):
    """There is no document at this well-known path."""

    code = ErrorCode.NOT_FOUND


class _MethodNotAllowedError(ServiceError):
    """Documents are read, never written."""

    code = ErrorCode.METHOD_NOT_ALLOWED


def find(
    path: str,
    *,
    method: str = "GET",
    issuer: str,
    mcp_url: str,
    correlation_id: str = "none",
    registration: bool = True,
    scopes: Sequence[str] = SCOPES_OFFERED,
) -> DiscoveryAnswer | None:
    """The answer to a request for ``path``; None where the path is no well-known one.

    Unknown well-known paths are answered too, with a JSON 404: clients try the next path on 4xx
    and give up on anything else. ``registration`` says whether clients may register themselves,
    ``scopes`` what they can ask for.
    """
    if _ANYWHERE not in path:
        return None
    if method == "OPTIONS":
        return _answer(200, {}, method)
    if method not in {"GET", "HEAD"}:
        error: ServiceError = _MethodNotAllowedError()
        body = as_oauth_error(error, correlation_id=correlation_id)
        return _answer(405, body, method, {"allow": _METHODS, "cache-control": "no-store"})
    document = _document(
        path, issuer=issuer, mcp_url=mcp_url, registration=registration, scopes=scopes
    )
    if document is None:
        error = _NotFoundError()
        return _answer(404, as_oauth_error(error, correlation_id=correlation_id), method)
    return _answer(200, document, method)


def _document(
    path: str, *, issuer: str, mcp_url: str, registration: bool, scopes: Sequence[str]
) -> documents.JsonObject | None:
    """The document at ``path``.

    The path-scoped variants of the authorization server's document exist only if the issuer has
    that path: clients compare ``issuer`` with the address they asked (RFC 8414 section 3.3).
    """
    resource_path, issuer_path = urlsplit(mcp_url).path, urlsplit(issuer).path
    if path in {_PROTECTED_RESOURCE, f"{_PROTECTED_RESOURCE}{resource_path}"}:
        return documents.protected_resource(mcp_url, issuer, scopes)
    if path == f"{_PROTECTED_RESOURCE}{resource_path}/":
        return documents.protected_resource(mcp_url, issuer, scopes, resource=f"{mcp_url}/")
    server_paths = {
        f"{_AUTHORIZATION_SERVER}{issuer_path}",
        f"{_OPENID}{issuer_path}",
        f"{issuer_path}{_OPENID}",
    }
    if path not in server_paths:
        return None
    return documents.authorization_server(issuer, scopes, registration=registration)


def _answer(
    status: int, document: documents.JsonObject, method: str, more: dict[str, str] | None = None
) -> DiscoveryAnswer:
    body = json.dumps(document, separators=(",", ":")).encode()
    headers = {
        "content-type": "application/json",
        "content-length": str(len(body)),
        "cache-control": f"public, max-age={CACHE_SECONDS}",
        "x-content-type-options": "nosniff",
        **_CORS,
        **(more or {}),
    }
    return DiscoveryAnswer(status, headers, b"" if method == "HEAD" else body)
