"""Login of a browser: form, JSON variant, session cookie, flood control, logout.

Never says whether a name exists.
"""

import hashlib
import hmac
import secrets
from dataclasses import replace
from html import escape
from urllib.parse import parse_qsl, quote, urlencode

from starlette.responses import Response

from scripts.fake_drupal.accounts import Account
from scripts.fake_drupal.answers import json_answer, page, redirect
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.records import BrowserSession
from scripts.fake_drupal.site import Site

SESSION_COOKIE = "SESSfakedrupal"
SESSION_ID_BYTES = 32
WRONG_LOGIN = "Sorry, unrecognized username or password."
TOO_MANY = (
    "Too many failed login attempts from your IP address. This IP address is temporarily blocked."
)


class LoginRefusedError(Exception):
    """The login is refused; the text is shown to the person."""

    def __init__(self, text: str, *, status: int) -> None:
        super().__init__(text)
        self.status = status


def check_password(site: Site, name: str, password: str, *, remote: str) -> Account:
    """The account, if the password is right and flood control lets it through.

    Raises:
        LoginRefusedError: wrong, blocked, or too many failures before.
    """
    if site.failed_logins.get(remote, 0) >= site.behaviours.login_failures_max:
        raise LoginRefusedError(TOO_MANY, status=403)
    account = site.store.account_named(name)
    expected = account.password if account else secrets.token_hex()
    if not hmac.compare_digest(expected.encode(), password.encode()) or account is None:
        site.failed_logins[remote] = site.failed_logins.get(remote, 0) + 1
        raise LoginRefusedError(WRONG_LOGIN, status=400)
    if account.blocked:
        text = f"The username {name} has not been activated or is blocked."
        raise LoginRefusedError(text, status=400)
    site.failed_logins.pop(remote, None)
    return account


def browser_account(site: Site, call: Call) -> Account | None:
    """Who is logged in in this browser."""
    session = site.store.browser_sessions.get(call.cookies.get(SESSION_COOKIE, ""))
    account = site.store.account(session.uid) if session else None
    return None if account is None or account.blocked else account


def first_request_after_login(site: Site, call: Call) -> bool:
    """Whether this browser logged in just now; true once per login."""
    key = call.cookies.get(SESSION_COOKIE, "")
    session = site.store.browser_sessions.get(key)
    if session is None or not session.fresh:
        return False
    site.store.browser_sessions.put(key, replace(session, fresh=False))
    return True


def form_token(site: Site, call: Call) -> str:
    """The anti-forgery token of this browser's forms."""
    seed = f"{call.cookies.get(SESSION_COOKIE, '')}:{site.keys.public_jwk()['n']}"
    return hashlib.sha256(seed.encode()).hexdigest()


def login_redirect(call: Call) -> Response:
    """To the login form, and back here afterwards."""
    pairs = sorted(parse_qsl(call.query_string, keep_blank_values=True))
    destination = f"{call.path}?{urlencode(pairs, quote_via=quote, safe='/')}"
    return redirect(f"/user/login?destination={quote(destination, safe='/')}")


def login_endpoint(site: Site, call: Call) -> Response:
    """``/user/login``: the form, its submission, and the JSON variant."""
    if call.method != "POST":
        return _form(site, call)
    if call.wants_json:
        return _json_login(site, call)
    name, password = call.form.get("name", ""), call.form.get("pass", "")
    try:
        account = check_password(site, name, password, remote=call.remote)
    except LoginRefusedError as refused:
        status = refused.status if refused.status == 403 else 200
        return _form(site, call, error=str(refused), status=status)
    destination = call.query.get("destination", "")
    if not destination.startswith("/") or destination.startswith("//"):
        destination = f"/user/{account.uid}"
    response = redirect(destination)
    response.status_code = 303
    _open_session(site, account, response)
    return response


def _open_session(site: Site, account: Account, response: Response) -> None:
    key = secrets.token_urlsafe(SESSION_ID_BYTES)
    site.store.browser_sessions.put(key, BrowserSession(uid=account.uid))
    response.set_cookie(SESSION_COOKIE, key, httponly=True, samesite="lax")


def _json_login(site: Site, call: Call) -> Response:
    try:
        given = call.json()
    except ValueError:
        return json_answer({"message": "Syntax error"}, status=400)
    if not isinstance(given, dict):
        return json_answer({"message": "Missing credentials."}, status=400)
    name, password = str(given.get("name", "")), str(given.get("pass", ""))
    try:
        account = check_password(site, name, password, remote=call.remote)
    except LoginRefusedError as refused:
        return json_answer({"message": str(refused)}, status=refused.status)
    user = {"uid": str(account.uid), "roles": list(account.roles), "name": account.name}
    response = json_answer({"current_user": user})
    _open_session(site, account, response)
    return response


def _form(site: Site, call: Call, *, error: str = "", status: int = 200) -> Response:
    action = "/user/login" + (f"?{call.query_string}" if call.query_string else "")
    shown = f'<p class="error" role="alert">{escape(error)}</p>' if error else ""
    body = (
        f'{shown}<form method="post" action="{escape(action)}">'
        '<label for="edit-name">Username</label>'
        '<input id="edit-name" type="text" name="name" autocomplete="username" required>'
        '<label for="edit-pass">Password</label>'
        '<input id="edit-pass" type="password" name="pass" autocomplete="current-password"'
        " required>"
        '<input type="hidden" name="form_id" value="user_login_form">'
        '<input type="submit" name="op" value="Log in"></form>'
    )
    return page(site.dialect.site_name, "Log in", body, status=status)


def logout_endpoint(site: Site, call: Call) -> Response:
    """``/user/logout``."""
    site.store.browser_sessions.delete(call.cookies.get(SESSION_COOKIE, ""))
    response = redirect("/")
    response.delete_cookie(SESSION_COOKIE)
    return response


def front_page(site: Site, call: Call) -> Response:
    """``/`` and ``/user/{uid}``: something to look at."""
    account = browser_account(site, call)
    who = f"Logged in as {escape(account.name)}." if account else "Not logged in."
    links = "".join(
        f'<li><a href="{escape(item.path)}">{escape(item.title)}</a></li>'
        for item in site.content.values()
    )
    return page(site.dialect.site_name, "Tutorials", f"<p>{who}</p><ul>{links}</ul>")
