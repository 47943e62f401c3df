"""``GET`` and ``POST /oauth/authorize``: consent of a logged-in browser.

Never sends ``iss``, never reads ``resource`` or ``prompt``: Drupal does not.
"""

from dataclasses import dataclass
from html import escape

from starlette.responses import Response

from scripts.fake_drupal.accounts import GRANT_CODES, Account
from scripts.fake_drupal.answers import page, redirect
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.dialects.model import Failure
from scripts.fake_drupal.login import (
    browser_account,
    first_request_after_login,
    form_token,
    login_redirect,
)
from scripts.fake_drupal.oauth.clients import redirect_allowed
from scripts.fake_drupal.oauth.errors import (
    OAuthRefusedError,
    authorization_refused,
    error_answer,
    with_parameters,
)
from scripts.fake_drupal.oauth.pkce import requested_challenge
from scripts.fake_drupal.oauth.scopes import requested_scopes
from scripts.fake_drupal.oauth.tokens import token_id
from scripts.fake_drupal.records import Approval, CodeRow, OAuthClient
from scripts.fake_drupal.site import Site


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """A checked authorization request; ``redirect_uri`` as it was sent, or None."""

    client: OAuthClient
    account: Account
    redirect_uri: str | None
    callback: str
    scopes: tuple[str, ...]
    state: str | None
    code_challenge: str | None
    code_challenge_method: str


def authorize_endpoint(site: Site, call: Call) -> Response:
    """Authorization request (RFC 6749 section 4.1.1)."""
    try:
        client = _client(site, call)
    except OAuthRefusedError as refused:
        return error_answer(site.dialect, refused)
    account = browser_account(site, call)
    if account is None:
        return login_redirect(call)
    try:
        asked = _check(site, client, account, call)
    except OAuthRefusedError as refused:
        return authorization_refused(
            site.dialect,
            refused,
            redirect_uri=call.query.get("redirect_uri"),
            state=call.query.get("state"),
        )
    return _decide(site, asked, call)


def _client(site: Site, call: Call) -> OAuthClient:
    client_id = call.query.get("client_id")
    if not client_id:
        raise OAuthRefusedError(Failure.AUTHORIZE_CLIENT_MISSING)
    client = site.store.clients.get(client_id)
    if client is None:
        raise OAuthRefusedError(Failure.CLIENT_UNKNOWN)
    return client


def _check(site: Site, client: OAuthClient, account: Account, call: Call) -> Asked:
    if call.query.get("response_type") != "code":
        raise OAuthRefusedError(Failure.RESPONSE_TYPE_UNSUPPORTED)
    redirect_uri = call.query.get("redirect_uri")
    if redirect_uri is None and len(client.redirect_uris) != 1:
        raise OAuthRefusedError(Failure.AUTHORIZE_REDIRECT_UNKNOWN)
    if redirect_uri is not None and not redirect_allowed(client, redirect_uri):
        raise OAuthRefusedError(Failure.AUTHORIZE_REDIRECT_UNKNOWN)
    scopes = requested_scopes(site, call.query.get("scope"), grant="authorization_code")
    challenge, method = requested_challenge(client, call.query)
    return Asked(
        client=client,
        account=account,
        redirect_uri=redirect_uri,
        callback=redirect_uri or client.redirect_uris[0],
        scopes=scopes,
        state=call.query.get("state"),
        code_challenge=challenge,
        code_challenge_method=method,
    )


def _decide(site: Site, asked: Asked, call: Call) -> Response:
    if GRANT_CODES not in site.permissions(asked.account, asked.account.roles):
        return _denied(site, asked)
    if call.method == "POST":
        if call.form.get("form_token") != form_token(site, call):
            return _consent_form(site, asked, call)
        allowed = call.form.get("op") == "Allow"
        return _allowed(site, asked, call) if allowed else _denied(site, asked)
    if asked.client.automatic or _approved_before(site, asked):
        return _allowed(site, asked, call)
    return _consent_form(site, asked, call)


def _approval_key(asked: Asked) -> str:
    return f"{asked.account.uid}:{asked.client.client_id}"


def _approved_before(site: Site, asked: Asked) -> bool:
    approval = site.store.approvals.get(_approval_key(asked))
    return approval is not None and set(asked.scopes) <= set(approval.scopes)


def _denied(site: Site, asked: Asked) -> Response:
    refused = OAuthRefusedError(Failure.USER_DENIED)
    return authorization_refused(
        site.dialect, refused, redirect_uri=asked.callback, state=asked.state
    )


def _allowed(site: Site, asked: Asked, call: Call) -> Response:
    if asked.client.remembers_approval:
        site.store.approvals.put(_approval_key(asked), Approval(scopes=asked.scopes))
    key = token_id()
    row = CodeRow(
        client_id=asked.client.client_id,
        uid=asked.account.uid,
        scopes=asked.scopes,
        redirect_uri=asked.redirect_uri,
        code_challenge=asked.code_challenge,
        code_challenge_method=asked.code_challenge_method,
        expires_at=site.clock.now() + asked.client.access_token_seconds,
    )
    site.store.codes.put(key, row)
    pairs = [("code", site.keys.seal("code", key))]
    if asked.state is not None:
        pairs.append(("state", asked.state))
    if first_request_after_login(site, call):
        pairs += list(site.dialect.callback_adds.items())
    return redirect(
        with_parameters(asked.callback, pairs), with_page=site.dialect.callback_body_html
    )


def _consent_form(site: Site, asked: Asked, call: Call) -> Response:
    wanted = "".join(f"<li>{escape(name)}</li>" for name in asked.scopes) or "<li>your roles</li>"
    body = (
        f"<p>You are logged in as <strong>{escape(asked.account.name)}</strong>.</p>"
        f"<p><strong>{escape(asked.client.label)}</strong> asks for:</p><ul>{wanted}</ul>"
        '<form method="post">'
        f'<input type="hidden" name="form_build_id" value="form-{escape(token_id()[:16])}">'
        f'<input type="hidden" name="form_token" value="{escape(form_token(site, call))}">'
        '<input type="hidden" name="form_id" value="simple_oauth_authorize_form">'
        '<input type="submit" name="op" value="Allow">'
        '<input type="submit" name="op" value="Deny"></form>'
    )
    return page(site.dialect.site_name, "Grant Access to Client", body)
