"""The site as it was when the exchanges were recorded: people, clients, and the callback.

Never used outside the comparison with the recordings.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from scripts.fake_drupal.accounts import Account
from scripts.fake_drupal.login import SESSION_COOKIE
from scripts.fake_drupal.records import BrowserSession, OAuthClient
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal

REDIRECT_URI = "http://127.0.0.1:9999/callback"
OTHER_REDIRECT_URI = "https://mcp.example.com/oauth/callback"
CONFIDENTIAL_SECRET = "secret-of-mcp-conf"
BROWSER_SESSION = "alice-in-her-browser"

ALICE = Account(uid=2, name="alice", password="alice", roles=("member",))
BOB = Account(uid=3, name="bob", password="bob")
NO_REFRESH = ("authorization_code",)
ALL_GRANTS = ("authorization_code", "refresh_token", "client_credentials")

CLIENTS = (
    OAuthClient(
        client_id="mcp-public", redirect_uris=(REDIRECT_URI, OTHER_REDIRECT_URI), automatic=True
    ),
    OAuthClient(
        client_id="mcp-conf",
        secret=CONFIDENTIAL_SECRET,
        redirect_uris=(REDIRECT_URI,),
        grants=ALL_GRANTS,
        automatic=True,
    ),
    OAuthClient(client_id="mcp-norefresh", redirect_uris=(REDIRECT_URI,), grants=NO_REFRESH),
    OAuthClient(
        client_id="mcp-short",
        redirect_uris=(REDIRECT_URI,),
        access_token_seconds=2,
        refresh_token_seconds=3,
    ),
)

DEFAULT_SCOPES = {5: ("member",), 6: ("tutorial:read", "tutorial:search")}


@asynccontextmanager
async def recorded_site(dialect: int) -> AsyncIterator[RunningFakeDrupal]:
    """A fresh site with alice, bob and the recorded clients; alice is logged in in a browser."""
    async with running_fake_drupal(dialect, fixture_methods=True) as running:
        for account in (ALICE, BOB):
            running.control.put_account(account)
        for client in CLIENTS:
            running.control.put_client(client)
        session = BrowserSession(uid=ALICE.uid, fresh=False)
        running.site.store.browser_sessions.put(BROWSER_SESSION, session)
        yield running


def browser_cookie() -> str:
    """The Cookie header of alice's browser."""
    return f"{SESSION_COOKIE}={BROWSER_SESSION}"


def default_scopes(running: RunningFakeDrupal) -> tuple[str, ...]:
    """The scopes that recorded tokens carried."""
    return DEFAULT_SCOPES[running.site.dialect.number]
