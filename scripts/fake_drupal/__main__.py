"""``python -m scripts.fake_drupal``: the fake site as a process of its own.

Binds loopback only unless told otherwise; never meant to be reached from outside.
"""

import argparse
import asyncio
import json
import os
import signal
from pathlib import Path

from scripts.fake_drupal.accounts import DEMO_ACCOUNTS
from scripts.fake_drupal.dialects import DIALECTS
from scripts.fake_drupal.records import OAuthClient
from scripts.fake_drupal.running import (
    DEFAULT_CLIENT_ID,
    DEFAULT_CLIENT_SECRET,
    DEFAULT_REDIRECT_URIS,
)
from scripts.fake_drupal.server import SiteServer, listening_socket
from scripts.fake_drupal.site import Site


def parse_arguments(argv: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(prog="fake_drupal", description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--dialect", type=int, choices=sorted(DIALECTS), default=6)
    parser.add_argument("--data-dir", type=Path, help="keeps keys, tokens and accounts")
    parser.add_argument("--client-id", default=DEFAULT_CLIENT_ID)
    parser.add_argument("--client-secret", default=DEFAULT_CLIENT_SECRET, help="empty: public")
    parser.add_argument("--redirect-uri", action="append", dest="redirect_uris")
    parser.add_argument("--ready-file", type=Path, help="written, as JSON, once it listens")
    parser.add_argument("--fixture-methods", action="store_true", help="methods that fail")
    return parser.parse_args(argv)


def announcement(arguments: argparse.Namespace, url: str) -> dict[str, object]:
    """What the starter of the process needs to know."""
    dialect = DIALECTS[arguments.dialect]
    return {
        "url": url,
        "pid": os.getpid(),
        "dialect": dialect.number,
        "client_id": arguments.client_id,
        "scopes": list(dialect.demo_scopes),
        "users": [
            {"name": account.name, "password": account.password, "roles": account.roles}
            for account in DEMO_ACCOUNTS
        ],
    }


def _write_at_once(path: Path, text: str) -> None:
    """Whoever waits for the file must never see half of it."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text)
    partial.replace(path)


async def serve(arguments: argparse.Namespace) -> None:
    """Serve until SIGTERM or SIGINT."""
    client = OAuthClient(
        client_id=arguments.client_id,
        secret=arguments.client_secret or None,
        redirect_uris=tuple(arguments.redirect_uris or DEFAULT_REDIRECT_URIS),
    )
    site = Site(
        DIALECTS[arguments.dialect],
        data_dir=arguments.data_dir,
        clients=[client],
        fixture_methods=arguments.fixture_methods,
    )
    bound = listening_socket(arguments.host, arguments.port)
    server = SiteServer(site)
    await server.start(bound)
    told_to_stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told_to_stop.set)
    host, port = bound.getsockname()
    told = json.dumps(announcement(arguments, f"http://{host}:{port}"))
    if arguments.ready_file is not None:
        _write_at_once(arguments.ready_file, told)
    print(told, flush=True)
    await told_to_stop.wait()
    await server.stop()
    site.store.close()


if __name__ == "__main__":
    asyncio.run(serve(parse_arguments()))
