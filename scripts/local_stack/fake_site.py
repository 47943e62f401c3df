"""The fake Drupal as a part of the stack, and how to work its switches.

It must never be pointed at a real site: switches exist only on the fake.
"""

import secrets
from typing import Any, Final

import httpx

from scripts.fake_drupal.dialects import DIALECTS
from scripts.local_stack.addresses import Addresses
from scripts.local_stack.child_process import ChildProcess
from scripts.local_stack.data_folder import DataFolder
from scripts.local_stack.options import FakeSite, RealSite

CLIENT_ID: Final = "drupalize-mcp-local"
_CLIENT_FILE: Final = "drupal-client.json"
_TIMEOUT_SECONDS: Final = 10.0


def client_secret(folder: DataFolder) -> str:
    """Our secret at the fake site, made at the first start and kept."""
    kept = folder.read(_CLIENT_FILE)
    if not kept:
        kept = {"client_id": CLIENT_ID, "client_secret": secrets.token_urlsafe(32)}
        folder.write(_CLIENT_FILE, kept)
    return str(kept["client_secret"])


def arguments(site: FakeSite, addresses: Addresses, folder: DataFolder, secret: str) -> list[str]:
    """The command line of the fake site.

    Every value is joined to its option: one secret in sixty-four begins with a dash, and would be
    read as an option of its own.
    """
    return [
        f"--host={addresses.drupal_host}",
        f"--port={addresses.drupal_port}",
        f"--dialect={site.dialect}",
        f"--data-dir={folder.drupal / site.dialect}",
        f"--client-id={CLIENT_ID}",
        f"--client-secret={secret}",
        f"--redirect-uri={addresses.issuer_url}/oauth/callback",
    ]


async def start(
    site: FakeSite, process: ChildProcess, addresses: Addresses, folder: DataFolder
) -> RealSite:
    """Start the fake site and wait until it answers; what the functions are told about it."""
    secret = client_secret(folder)
    process.start(arguments(site, addresses, folder, secret))
    await process.wait_until_it_listens(addresses.drupal_host, addresses.drupal_port)
    # The generations name scopes differently; one that does not know a scope refuses the sign-in.
    scopes = " ".join(DIALECTS[int(site.dialect)].demo_scopes)
    return RealSite(addresses.drupal_url, CLIENT_ID, secret, scopes)


class SiteControl:
    """The switches of a running fake site."""

    def __init__(self, base_url: str) -> None:
        self._base_url = base_url

    async def send(self, path: str, body: dict[str, Any]) -> None:
        """Post to one switch.

        Raises:
            httpx.HTTPStatusError: the site knows no such switch or refused the body.
        """
        async with httpx.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
            answer = await http.post(f"{self._base_url}/_control/{path}", json=body)
            answer.raise_for_status()
