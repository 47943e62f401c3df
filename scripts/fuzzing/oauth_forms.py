"""Requests to the authorization server: forms, queries, registrations, cookies and headers."""

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote_plus

from hypothesis import strategies as st

from functions.oauth.browser_cookie import COOKIE_NAME
from scripts.fuzzing import oddities
from scripts.fuzzing.exchange import HeaderLines, Request
from shared.domain.tokens import TokenKind
from shared.settings import OAuthFunctionSettings

BODY_BYTES_MAX: Final[int] = OAuthFunctionSettings.model_fields["oauth_body_bytes_max"].default
PARAMETERS: Final = (
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "prompt",
    "request",
    "request_uri",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "decision",
    "consent",
    "sign_in",
    "action",
    "connection",
    "form",
    "error",
    "iss",
)
_MEMBERS: Final = (
    "redirect_uris",
    "client_name",
    "client_uri",
    "logo_uri",
    "grant_types",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
    "jwks",
    "jwks_uri",
    "contacts",
    "software_id",
    "software_statement",
    "application_type",
)
_FORM_PATHS: Final = ("/token", "/revoke", "/authorize", "/account")
_QUERY_PATHS: Final = ("/authorize", "/oauth/callback", "/account")
_OTHER_PLACES: Final = (
    "/",
    "/docs",
    "/openapi.json",
    "/token/",
    "//token",
    "/health/live",
    "/health/ready",
    "/.well-known/oauth-authorization-server",
    "/.well-known/openid-configuration",
    "/.well-known/%2e%2e/%00",
)
_ODD_HEADERS: Final = (
    b"accept",
    b"content-type",
    b"content-encoding",
    b"authorization",
    b"cookie",
    b"origin",
    b"referer",
    b"x-forwarded-for",
    b"x-forwarded-host",
    b"forwarded",
    b"traceparent",
    b"x-correlation-id",
    b"access-control-request-method",
)
_FORM_TYPE: Final = (b"content-type", b"application/x-www-form-urlencoded")
_SHAPES: Final = tuple(f"{kind}{'A' * 43}" for kind in TokenKind)
_STRANGER: Final = f"{TokenKind.BROWSER}{'A' * 43}"


def requests(known: Mapping[str, str]) -> st.SearchStrategy[Request]:
    """Mostly parameters of a sign-in under way: ``known`` holds what its client and browser hold.

    Its member ``browser`` is the cookie.
    """
    headers = _headers(known)
    forms = st.builds(_form, st.sampled_from(_FORM_PATHS), _encoded(known), headers)
    raw = st.builds(
        _form, st.sampled_from(_FORM_PATHS), oddities.odd_documents(BODY_BYTES_MAX), headers
    )
    queries = st.builds(_query, st.sampled_from(_QUERY_PATHS), _encoded(known), headers)
    registrations = st.builds(_registration, _documents(), headers)
    elsewhere = st.builds(
        _elsewhere,
        st.sampled_from(("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")),
        st.sampled_from((*_OTHER_PLACES, *_FORM_PATHS, *_QUERY_PATHS, "/register")),
        headers,
    )
    return st.one_of(forms, forms, queries, registrations, raw, elsewhere)


def largest() -> Request:
    """The largest registration that is allowed; refused only when it has been read."""
    return _registration(oddities.large_document(BODY_BYTES_MAX), ())


@st.composite
def _encoded(draw: st.DrawFn, known: Mapping[str, str]) -> bytes:
    """URL-encoded pairs: the known ones but for some, and up to three others."""
    mine = [pair for pair in known.items() if pair[0] in PARAMETERS]
    left_out = draw(st.sets(st.sampled_from([name for name, _ in mine]), max_size=4))
    pairs = [pair for pair in mine if pair[0] not in left_out]
    values = oddities.sendable_texts() | st.sampled_from((*_SHAPES, *known.values()))
    names = st.sampled_from(PARAMETERS) | st.sampled_from(PARAMETERS) | oddities.sendable_texts()
    others = draw(st.lists(st.tuples(names, values), max_size=3))
    replaced = {name for name, _ in others} if draw(st.booleans()) else set()
    pairs = [pair for pair in pairs if pair[0] not in replaced]
    pairs = draw(st.permutations([*pairs, *others]))
    encoded = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
    return encoded.encode()


@st.composite
def _documents(draw: st.DrawFn) -> bytes:
    metadata: dict[str, Any] = {"redirect_uris": ["https://app.example/callback"]}
    for name in draw(st.lists(st.sampled_from(_MEMBERS), max_size=3)):
        metadata[name] = draw(
            oddities.json_values() | st.lists(oddities.texts(), max_size=3) | _key_sets()
        )
    good = st.just(oddities.as_json(metadata))
    return draw(st.one_of(good, good, oddities.damaged(good)))


@st.composite
def _key_sets(draw: st.DrawFn) -> dict[str, Any]:
    member = oddities.texts() | oddities.json_values() | st.sampled_from(("EC", "RSA", "P-256"))
    names = st.sampled_from(("kty", "kid", "alg", "use", "crv", "x", "y", "n", "e", "d"))
    return {"keys": draw(st.lists(st.dictionaries(names, member), max_size=3))}


@st.composite
def _headers(draw: st.DrawFn, known: Mapping[str, str]) -> HeaderLines:
    browser = draw(st.sampled_from((known["browser"], known["browser"], _STRANGER)))
    usual: HeaderLines = ((b"cookie", f"{COOKIE_NAME}={browser}".encode()),)
    odd = draw(st.just(()) | oddities.odd_headers(_ODD_HEADERS))
    replaced = {name for name, _ in odd} if draw(st.booleans()) else set()
    return (*(line for line in usual if line[0] not in replaced), *odd)


def _form(path: str, body: bytes, headers: HeaderLines) -> Request:
    typed = any(name == b"content-type" for name, _ in headers)
    lines = headers if typed else (_FORM_TYPE, *headers)
    return Request(method="POST", target=path, headers=lines, body=body)


def _query(path: str, query: bytes, headers: HeaderLines) -> Request:
    return Request(method="GET", target=f"{path}?{query.decode('ascii')}", headers=headers)


def _registration(body: bytes, headers: HeaderLines) -> Request:
    lines = ((b"content-type", b"application/json"), *headers)
    return Request(method="POST", target="/register", headers=lines, body=body)


def _elsewhere(method: str, target: str, headers: HeaderLines) -> Request:
    return Request(method=method, target=target, headers=headers)
