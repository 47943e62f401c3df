"""The fake site in a test's own process.

    async with running_fake_drupal(dialect=6) as site:
        site.url                      # http://127.0.0.1:<port>
        site.client                   # the OAuth client: client_id, secret, redirect_uris
        site.scopes                   # what to ask for in this dialect
        site.control.fail("maintenance_html", route="token", times=3)
        site.control.block_user("maya")
        gate = site.control.hold(route="token")   # await gate.reached(); gate.release()
        await site.control.wait_for_requests("jsonrpc", 2)
        pair = site.issue_pair("maya")            # a token answer without going through a browser

A real server on a free port, real keys and state; people and passwords are in ``accounts``, the
levers in ``control.Control``, faults in ``faults.FaultKind``. ``browser.ScriptedBrowser`` logs in
and consents like a person. Never leaves a socket or a task behind.
"""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.fake_drupal.control import Control
from scripts.fake_drupal.dialects import DIALECTS
from scripts.fake_drupal.oauth.tokens import issue_pair
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.server import SiteServer, listening_socket
from scripts.fake_drupal.site import Site

DEFAULT_CLIENT_ID = "drupalize-mcp"
DEFAULT_CLIENT_SECRET = "local-demo-secret"  # noqa: S105 - made up for the demo
DEFAULT_REDIRECT_URIS = (
    "http://127.0.0.1/oauth/callback",
    "http://localhost:8080/oauth/callback",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningFakeDrupal:
    """A site that answers at ``url``."""

    url: str
    client: OAuthClient
    site: Site
    control: Control

    @property
    def scopes(self) -> tuple[str, ...]:
        """Scopes to ask this dialect for."""
        return self.site.dialect.demo_scopes

    def issue_pair(
        self, name: str, *, scopes: Sequence[str] | None = None, client_id: str | None = None
    ) -> dict[str, str | int | float]:
        """The members of a token answer for that person, as after a finished sign-in."""
        client = self.site.store.clients.get(client_id) if client_id else self.client
        return issue_pair(
            self.site,
            client or self.client,
            uid=self.control.account(name).uid,
            scopes=tuple(self.scopes if scopes is None else scopes),
            origin=self.url,
        )


@asynccontextmanager
async def running_fake_drupal(
    dialect: int = 6,
    *,
    client_id: str = DEFAULT_CLIENT_ID,
    client_secret: str | None = DEFAULT_CLIENT_SECRET,
    redirect_uris: Sequence[str] = DEFAULT_REDIRECT_URIS,
    automatic: bool = False,
    data_dir: Path | None = None,
    fixture_methods: bool = False,
    host: str = "127.0.0.1",
) -> AsyncIterator[RunningFakeDrupal]:
    """Run a site on a free port; ``automatic`` skips the consent form."""
    client = OAuthClient(
        client_id=client_id,
        secret=client_secret,
        redirect_uris=tuple(redirect_uris),
        automatic=automatic,
    )
    site = Site(
        DIALECTS[dialect], data_dir=data_dir, clients=[client], fixture_methods=fixture_methods
    )
    bound = listening_socket(host, 0)
    server = SiteServer(site)
    await server.start(bound)
    try:
        url = f"http://{host}:{bound.getsockname()[1]}"
        yield RunningFakeDrupal(url=url, client=client, site=site, control=Control(site))
    finally:
        await server.stop()
        site.store.close()
