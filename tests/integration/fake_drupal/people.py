"""A person and an OAuth client against the fake site, as short as tests want them.

Never asserts.
"""

import hashlib
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx

from scripts.fake_drupal.browser import ScriptedBrowser
from scripts.fake_drupal.running import RunningFakeDrupal

CALLBACK = "http://127.0.0.1:9999/oauth/callback"
VERIFIER = "a-verifier-that-is-long-enough-to-be-accepted-by-anyone"
CHALLENGE = urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).rstrip(b"=").decode()


def authorize_url(site: RunningFakeDrupal, **changed: str) -> str:
    """The authorization URL of the site's client."""
    parameters = {
        "response_type": "code",
        "client_id": site.client.client_id,
        "redirect_uri": CALLBACK,
        "scope": " ".join(site.scopes),
        "state": "a state",
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        **changed,
    }
    return f"{site.url}/oauth/authorize?{urlencode(parameters)}"


async def callback(
    site: RunningFakeDrupal, http: httpx.AsyncClient, name: str, *, op: str = "Allow"
) -> dict[str, str]:
    """Log in, decide, and return the parameters of the callback."""
    account = site.control.account(name)
    browser = ScriptedBrowser(http)
    url = await browser.log_in_and_allow(
        authorize_url(site), name=name, password=account.password, op=op
    )
    return dict(parse_qsl(urlsplit(url).query))


async def token_call(
    site: RunningFakeDrupal, http: httpx.AsyncClient, **form: str
) -> httpx.Response:
    """A token request of the site's client."""
    credentials = {"client_id": site.client.client_id, "client_secret": site.client.secret or ""}
    return await http.post(f"{site.url}/oauth/token", data={**credentials, **form})


async def refresh(
    site: RunningFakeDrupal, http: httpx.AsyncClient, refresh_token: object
) -> httpx.Response:
    """A refresh."""
    return await token_call(
        site, http, grant_type="refresh_token", refresh_token=str(refresh_token)
    )


async def redeem(site: RunningFakeDrupal, http: httpx.AsyncClient, code: str) -> httpx.Response:
    """A code redemption."""
    return await token_call(
        site,
        http,
        grant_type="authorization_code",
        code=code,
        redirect_uri=CALLBACK,
        code_verifier=VERIFIER,
    )


async def rpc(
    site: RunningFakeDrupal,
    http: httpx.AsyncClient,
    access_token: object,
    method: str,
    **params: Any,
) -> httpx.Response:
    """A JSON-RPC call."""
    body: dict[str, Any] = {"jsonrpc": "2.0", "id": 1, "method": method}
    if params:
        body["params"] = params
    return await http.post(
        f"{site.url}/jsonrpc?_format=json",
        json=body,
        headers={"Authorization": f"Bearer {access_token}"},
    )
