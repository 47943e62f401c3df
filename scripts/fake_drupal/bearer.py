"""Who makes a protected call: bearer token, HTTP Basic, or nobody.

Never decides what the caller may do; the endpoints do, by the caller's permissions.
"""

from dataclasses import dataclass
from html import escape

from starlette.responses import Response

from scripts.fake_drupal.accounts import Account
from scripts.fake_drupal.answers import apology, refusal
from scripts.fake_drupal.call import Call
from scripts.fake_drupal.login import LoginRefusedError, check_password
from scripts.fake_drupal.oauth.tokens import (
    AccessToken,
    AccessTokenRefusedError,
    check_access_token,
)
from scripts.fake_drupal.site import Site


class CallRefusedError(Exception):
    """The call is refused with this answer."""

    def __init__(self, response: Response) -> None:
        super().__init__(str(response.status_code))
        self.response = response


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Somebody, as far as this call goes; ``uid`` 0 is the anonymous user."""

    account: Account | None
    permissions: frozenset[str]
    origin: str = ""
    roles: tuple[str, ...] = ()
    token: AccessToken | None = None

    @property
    def uid(self) -> int:
        """Drupal's user id."""
        return self.account.uid if self.account else 0

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes claimed by the token."""
        return self.token.row.scopes if self.token else ()


def identify(site: Site, call: Call, *, basic_allowed: bool = False) -> Caller:
    """The caller. Anything but ``Bearer`` and ``Basic``, spelt so, counts as nobody.

    Raises:
        CallRefusedError: credentials that are not good.
    """
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme == "Bearer":
        return _bearer(site, call, value.strip())
    credentials = call.basic_credentials()
    if credentials is not None and site.behaviours.basic_auth:
        return _basic(site, call, credentials, allowed=basic_allowed)
    return Caller(account=None, permissions=site.permissions(None), origin=call.origin)


def presented_client(site: Site, call: Call) -> str | None:
    """The client of the bearer token that was presented, if the token is good."""
    scheme, _, value = call.headers.get("authorization", "").partition(" ")
    if scheme != "Bearer" or site.behaviours.public_key_missing:
        return None
    try:
        token = check_access_token(site, value.strip())
        account = _acting_account(site, token)
    except (AccessTokenRefusedError, CallRefusedError):
        return None
    return None if account is not None and account.blocked else token.row.client_id


def _bearer(site: Site, call: Call, value: str) -> Caller:
    if site.behaviours.public_key_missing:
        raise bad_bearer(site, call, "", error="server_error")
    try:
        token = check_access_token(site, value)
    except AccessTokenRefusedError as refused:
        raise bad_bearer(site, call, str(refused)) from refused
    account = _acting_account(site, token)
    if account is not None and account.blocked:
        name = f'<em class="placeholder">{escape(account.name)}</em>'
        raise bad_bearer(site, call, f"{name} is blocked or has not been activated yet.")
    roles = site.effective_roles(account, token.row.scopes) if account else ()
    return Caller(
        account=account,
        permissions=site.permissions(account, roles),
        origin=call.origin,
        roles=roles,
        token=token,
    )


def _acting_account(site: Site, token: AccessToken) -> Account | None:
    """The token's user; for a deleted one the client's default user, as Drupal does it."""
    account = site.store.account(token.row.uid)
    if account is not None:
        return account
    client = site.store.clients.get(token.row.client_id)
    account = site.store.account(client.default_uid if client else None)
    if account is None and token.row.uid is not None:
        raise CallRefusedError(apology(site.dialect.apology))
    return account


def _basic(site: Site, call: Call, credentials: tuple[str, str], *, allowed: bool) -> Caller:
    try:
        if allowed:
            name, password = credentials
            account = check_password(site, name, password, remote=call.remote)
            return Caller(
                account=account,
                permissions=site.permissions(account, account.roles),
                origin=call.origin,
                roles=account.roles,
            )
    except LoginRefusedError as refused:
        raise forbidden(site, call, "") from refused
    raise forbidden(site, call, "")


def bad_bearer(
    site: Site, call: Call, reason: str, *, error: str = "access_denied"
) -> CallRefusedError:
    """401 for a bearer token; the reason stands unescaped in the challenge, where there is one."""
    headers = {}
    if site.dialect.bearer_challenge:
        challenge = f'Bearer realm="OAuth", error="{error}", error_description="{reason}"'
        headers["WWW-Authenticate"] = challenge
    return CallRefusedError(
        refusal(
            site.dialect.site_name,
            "Unauthorized",
            status=401,
            wants_json=call.wants_json,
            message=site.dialect.bearer_message or reason,
            headers=headers,
        )
    )


def basic_challenge(site: Site, call: Call) -> CallRefusedError:
    """401 with which the basic_auth module asks for credentials."""
    return CallRefusedError(
        refusal(
            site.dialect.site_name,
            "Unauthorized",
            status=401,
            wants_json=call.wants_json,
            message="No authentication credentials provided.",
            headers={"WWW-Authenticate": f'Basic realm="{site.dialect.site_name}"'},
        )
    )


def forbidden(site: Site, call: Call, message: str) -> CallRefusedError:
    """403."""
    return CallRefusedError(
        refusal(
            site.dialect.site_name,
            "Access denied",
            status=403,
            wants_json=call.wants_json,
            message=message,
        )
    )


def require(site: Site, call: Call, caller: Caller, permission: str) -> None:
    """Let only callers with that permission pass.

    Raises:
        CallRefusedError: 403.
    """
    if permission not in caller.permissions:
        raise forbidden(site, call, f"The '{permission}' permission is required.")
