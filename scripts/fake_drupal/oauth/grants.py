"""The three grants of the token endpoint: code, refresh, client credentials.

Checks in the order in which the real server makes them; a test depends on which error comes first.
"""

from collections.abc import Callable
from dataclasses import replace

from joserfc import jwt

from scripts.fake_drupal.call import Call
from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.keys import OpaqueTokenError
from scripts.fake_drupal.oauth.errors import OAuthRefusedError
from scripts.fake_drupal.oauth.pkce import check_verifier
from scripts.fake_drupal.oauth.scopes import requested_scopes
from scripts.fake_drupal.oauth.tokens import issue_pair, retire_pair
from scripts.fake_drupal.records import CodeRow, OAuthClient, RefreshTokenRow
from scripts.fake_drupal.site import Site

TokenMembers = dict[str, str | int | float]


def redeem_code(site: Site, client: OAuthClient, call: Call) -> TokenMembers:
    """Authorization code grant (RFC 6749 section 4.1.3).

    A wrong verifier does not use the code up, and a replay revokes nothing.

    Raises:
        OAuthRefusedError: the code or its proof is not good.
    """
    presented = call.form.get("code")
    if not presented:
        raise OAuthRefusedError(Failure.CODE_MISSING)
    try:
        key = site.keys.open("code", presented)
    except OpaqueTokenError as error:
        raise OAuthRefusedError(Failure.CODE_UNREADABLE) from error
    code = site.store.codes.get(key)
    if code is None:
        raise OAuthRefusedError(Failure.CODE_REVOKED)
    _check_code(site, code, client, call.form.get("redirect_uri"))
    if not site.behaviours.pkce_ignored:
        check_verifier(code, call.form.get("code_verifier"))
    site.store.codes.put(key, replace(code, revoked=True))
    members = issue_pair(site, client, uid=code.uid, scopes=code.scopes, origin=call.origin)
    if "openid" in code.scopes:
        return {"id_token": _id_token(site, client, code), **members}
    return members


def _check_code(site: Site, code: CodeRow, client: OAuthClient, redirect_uri: str | None) -> None:
    if code.expires_at <= site.clock.now():
        raise OAuthRefusedError(Failure.CODE_EXPIRED)
    if code.revoked:
        raise OAuthRefusedError(Failure.CODE_REVOKED)
    if code.client_id != client.client_id:
        raise OAuthRefusedError(Failure.CODE_OTHER_CLIENT)
    if code.redirect_uri is not None and not redirect_uri:
        raise OAuthRefusedError(Failure.REDIRECT_MISSING)
    if code.redirect_uri != redirect_uri:
        raise OAuthRefusedError(Failure.REDIRECT_MISMATCH)


def _id_token(site: Site, client: OAuthClient, code: CodeRow) -> str:
    now = site.clock.now()
    claims = {"aud": client.client_id, "sub": str(code.uid), "iat": int(now), "exp": now + 300}
    return jwt.encode({"typ": "JWT", "alg": "RS256"}, claims, site.keys.rsa)


def refresh_pair(site: Site, client: OAuthClient, call: Call) -> TokenMembers:
    """Refresh grant (section 6): rotates at once; only the replay switch forgives a second use.

    Raises:
        OAuthRefusedError: the refresh token or the scopes are not good.
    """
    presented = call.form.get("refresh_token")
    if not presented:
        raise OAuthRefusedError(Failure.REFRESH_MISSING)
    try:
        key = site.keys.open("refresh_token", presented)
    except OpaqueTokenError as error:
        raise OAuthRefusedError(Failure.REFRESH_UNREADABLE) from error
    row = site.store.refresh_tokens.get(key)
    if row is None:
        raise OAuthRefusedError(Failure.REFRESH_REVOKED)
    replayed = _check_refresh_token(site, row, client)
    if replayed is not None:
        return replayed
    scopes = _narrowed(row, call.form.get("scope"))
    retire_pair(site, key, row)
    uid = row.uid if row.uid is None else site.behaviours.subject_switches.get(row.uid, row.uid)
    members = issue_pair(site, client, uid=uid, scopes=scopes, origin=call.origin)
    _remember_answer(site, key, members)
    return members


def _check_refresh_token(
    site: Site, row: RefreshTokenRow, client: OAuthClient
) -> TokenMembers | None:
    if row.client_id != client.client_id:
        raise OAuthRefusedError(Failure.REFRESH_OTHER_CLIENT)
    if row.expires_at <= site.clock.now():
        raise OAuthRefusedError(Failure.REFRESH_EXPIRED)
    if not row.revoked:
        return None
    if row.replay_answer is not None and row.replay_until > site.clock.now():
        return dict(row.replay_answer)
    raise OAuthRefusedError(Failure.REFRESH_REVOKED)


def _narrowed(row: RefreshTokenRow, text: str | None) -> tuple[str, ...]:
    if not text:
        return row.scopes
    names = tuple(text.split())
    for name in names:
        if name not in row.scopes:
            raise OAuthRefusedError(Failure.SCOPE_UNKNOWN, scope=name)
    return names


def _remember_answer(site: Site, key: str, members: TokenMembers) -> None:
    seconds = site.behaviours.refresh_replay_seconds
    row = site.store.refresh_tokens.get(key)
    if seconds and row is not None:
        until = site.clock.now() + seconds
        site.store.refresh_tokens.put(
            key, replace(row, replay_answer=dict(members), replay_until=until)
        )


def grant_client_credentials(site: Site, client: OAuthClient, call: Call) -> TokenMembers:
    """Client credentials grant (section 4.4): acts as the client's default user, if any.

    Raises:
        OAuthRefusedError: no scope, or one that this grant may not have.
    """
    scopes = requested_scopes(site, call.form.get("scope"), grant="client_credentials")
    members = issue_pair(site, client, uid=client.default_uid, scopes=scopes, origin=call.origin)
    members.pop("refresh_token", None)
    return members


GRANTS: dict[str, Callable[[Site, OAuthClient, Call], TokenMembers]] = {
    "authorization_code": redeem_code,
    "refresh_token": refresh_pair,
    "client_credentials": grant_client_credentials,
}
