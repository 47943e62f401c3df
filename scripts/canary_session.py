"""Signs the canary's account in, with a real browser, and prints the session for its secret.

The session goes to standard output only: into a file of the operator's, or straight on.
"""

import argparse
import asyncio
import sys
import time
import webbrowser
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from pydantic import SecretStr

from scripts.local_stack.client import REDIRECT_URI, ClientMemory, connected_client
from shared.checks.canary_session import CanarySession

SIGN_IN_SECONDS_MAX: Final = 600.0
REQUEST_BYTES_MAX: Final = 16_384
_SHOWN: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: text/plain; charset=utf-8\r\nconnection: close\r\n\r\n"
    b"The canary is signed in. This page can be closed.\n"
)

OpenPage = Callable[[str], Awaitable[None]]
"""Brings a page to somebody who can sign in as the canary."""


@dataclass(frozen=True)
class HumanAtBrowser:
    """Somebody in front of a browser that ends at an address of this machine."""

    open_page: OpenPage

    async def sign_in(self, authorization_url: str, redirect_uri: str) -> str:
        """Show the page, and wait for the browser to arrive at ``redirect_uri``.

        Raises:
            TimeoutError: nobody arrived in ten minutes.
        """
        arrived: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        wanted = urlsplit(redirect_uri)

        async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            line = (await reader.readline()).decode("latin-1").split(" ")
            writer.write(_SHOWN)
            await writer.drain()
            writer.close()
            target = line[1] if len(line) == 3 else ""
            if urlsplit(target).path == wanted.path and not arrived.done():
                arrived.set_result(f"{wanted.scheme}://{wanted.netloc}{target}")

        server = await asyncio.start_server(
            take, wanted.hostname, wanted.port, limit=REQUEST_BYTES_MAX
        )
        async with server, asyncio.timeout(SIGN_IN_SECONDS_MAX):
            await self.open_page(authorization_url)
            return await arrived


async def signed_in(mcp_url: str, open_page: OpenPage) -> CanarySession:
    """The session of whoever signs in.

    Raises:
        SignInError: the server sent the client away with an error.
        TimeoutError: nobody signed in.
    """
    memory = ClientMemory()
    async with connected_client(mcp_url, HumanAtBrowser(open_page), memory) as client:
        await client.list_tools()
    tokens, registration = memory.tokens, memory.registration
    if tokens is None or registration is None or tokens.refresh_token is None:
        raise RuntimeError("the server asked for no sign-in")
    return CanarySession(
        client_id=str(registration.client_id),
        redirect_uri=REDIRECT_URI,
        access_token=SecretStr(tokens.access_token),
        access_ends_at=time.time() + float(tokens.expires_in or 0),
        refresh_token=SecretStr(tokens.refresh_token),
    )


async def _show(url: str) -> None:
    sys.stderr.write(f"Sign in as the canary's account; if no browser opens, go to\n\n  {url}\n\n")
    await asyncio.to_thread(webbrowser.open, url)


def main() -> int:
    """Sign in; the exit status."""
    parser = argparse.ArgumentParser(
        prog="scripts/canary_sign_in",
        description="Signs the canary's account in and prints the session for its secret.",
    )
    parser.add_argument("mcp_url", help="the deployment's MCP address (output McpUrl)")
    given = parser.parse_args()
    sys.stdout.write(asyncio.run(signed_in(given.mcp_url, _show)).to_json() + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
