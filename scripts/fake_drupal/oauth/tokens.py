"""Issuing pairs, and telling what an access token is worth.

Access tokens are RS256 JWTs whose row must exist; never answers for a token whose row is gone.
"""

import secrets
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jws import JWSRegistry
from joserfc.registry import HeaderParameter

from scripts.fake_drupal.records import AccessTokenRow, OAuthClient, RefreshTokenRow
from scripts.fake_drupal.site import Site

# The registry of joserfc refuses header members it does not know; Drupal repeats jti there.
_REGISTRY = JWSRegistry(
    header_registry={"jti": HeaderParameter("Token id", "str")}, algorithms=["RS256"]
)

TOKEN_ID_BYTES = 40
DOTS_IN_JWT = 2
EXPIRES_IN_MISSING = "missing"
NOT_A_JWT = "The JWT string must have two dots"
NOT_VERIFIED = "Access token could not be verified"
REVOKED = "Access token has been revoked"


class AccessTokenRefusedError(Exception):
    """The bearer token is worth nothing; the text is what Drupal says of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessToken:
    """A verified access token."""

    jti: str
    row: AccessTokenRow
    claims: dict[str, object]


def token_id() -> str:
    """80 hex digits."""
    return secrets.token_hex(TOKEN_ID_BYTES)


def issue_access_token(
    site: Site, client: OAuthClient, *, uid: int | None, scopes: tuple[str, ...], origin: str
) -> tuple[str, str]:
    """Issue an access token; returns it and its ``jti``."""
    now = site.clock.now()
    seconds = site.behaviours.access_token_seconds
    expires_at = now + (client.access_token_seconds if seconds is None else seconds)
    jti = token_id()
    claimed = [*scopes, *(s for s in site.dialect.scope_claim_adds if s not in scopes)]
    claims: dict[str, object] = {
        "aud": client.client_id,
        "jti": jti,
        "iat": int(now),
        "nbf": int(now),
        "exp": expires_at,
        "sub": "" if uid is None else str(uid),
        "scope": claimed,
    }
    if site.dialect.issuer_claim:
        claims["iss"] = f"https://{urlsplit(origin).hostname}/"
    row = AccessTokenRow(
        client_id=client.client_id,
        uid=uid,
        scopes=tuple(claimed),
        issued_at=now,
        expires_at=expires_at,
    )
    site.store.access_tokens.put(jti, row)
    header = {"typ": "JWT", "alg": "RS256", "jti": jti}
    return jwt.encode(header, claims, site.keys.rsa, registry=_REGISTRY), jti


def issue_pair(
    site: Site, client: OAuthClient, *, uid: int | None, scopes: tuple[str, ...], origin: str
) -> dict[str, str | int | float]:
    """The members of a successful token answer; a refresh token only where the client has it."""
    access_token, jti = issue_access_token(site, client, uid=uid, scopes=scopes, origin=origin)
    members: dict[str, str | int | float] = {"token_type": "Bearer"}
    told = site.behaviours.expires_in
    if told != EXPIRES_IN_MISSING:
        members["expires_in"] = _life(site, client) if told is None else told
    members["access_token"] = access_token
    if "refresh_token" in client.grants and uid is not None:
        key = token_id()
        row = RefreshTokenRow(
            client_id=client.client_id,
            uid=uid,
            scopes=scopes,
            access_jti=jti,
            expires_at=site.clock.now() + client.refresh_token_seconds,
        )
        site.store.refresh_tokens.put(key, row)
        members["refresh_token"] = site.keys.seal("refresh_token", key)
    return members


def _life(site: Site, client: OAuthClient) -> int:
    seconds = site.behaviours.access_token_seconds
    return client.access_token_seconds if seconds is None else seconds


def retire_pair(site: Site, key: str, row: RefreshTokenRow) -> None:
    """Rotation: the old refresh token and its access token die together, at once."""
    site.store.refresh_tokens.put(key, replace(row, revoked=True))
    site.store.access_tokens.delete(row.access_jti)


def check_access_token(site: Site, token: str) -> AccessToken:
    """Verify signature, expiry and the row.

    Raises:
        AccessTokenRefusedError: with Drupal's words for the reason.
    """
    if token.count(".") != DOTS_IN_JWT:
        raise AccessTokenRefusedError(NOT_A_JWT)
    try:
        decoded = jwt.decode(token, site.keys.rsa, registry=_REGISTRY)
    except (JoseError, ValueError) as error:
        raise AccessTokenRefusedError(NOT_VERIFIED) from error
    claims: dict[str, object] = dict(decoded.claims)
    expires_at = claims.get("exp")
    if not isinstance(expires_at, int | float) or expires_at <= site.clock.now():
        raise AccessTokenRefusedError(NOT_VERIFIED)
    jti = str(claims.get("jti"))
    row = site.store.access_tokens.get(jti)
    if row is None:
        raise AccessTokenRefusedError(REVOKED)
    return AccessToken(jti=jti, row=row, claims=claims)
