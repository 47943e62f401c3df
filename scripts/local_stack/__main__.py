"""The command line of the local stack: up (the default), demo, status, tail, stop.

It must never start a second stack on the same data folder.
"""

import argparse
import asyncio
import contextlib
import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final, get_args

from scripts.artifacts.build import Artifacts, BuildError, artifacts_in, current_artifacts
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.dev_view import tail
from scripts.local_stack.announcement import announcement
from scripts.local_stack.child_process import PartFailedError
from scripts.local_stack.data_folder import DataFolder, DataFolderInUseError
from scripts.local_stack.options import DATA_DIR_DEFAULT, FakeSite, Front, RealSite, StackOptions
from scripts.local_stack.pgbouncer import PgBouncerStartError
from scripts.local_stack.postgres import PostgresStartError
from scripts.local_stack.stack import STACK_FILE, running_stack
from shared.settings_group import SettingsError

_STOP_SECONDS_MAX: Final = 30.0
_POLL_SECONDS: Final = 0.1
CURRENT: Final = Path("dist")
_FAILURES: Final = (
    PartFailedError,
    PgBouncerStartError,
    PostgresStartError,
    BuildError,
    NoPythonError,
    SettingsError,
)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/dev", description="The whole product on this machine."
    )
    parser.add_argument(
        "command",
        nargs="?",
        default="up",
        choices=("up", "demo", "status", "tail", "stop"),
        help="up (default): run until Ctrl-C; demo: a fresh stack, a scripted client, a transcript;"
        " tail: one line a request of a running stack, as it ends",
    )
    parser.add_argument("--data-dir", type=Path, default=DATA_DIR_DEFAULT, help="default: .dev")
    parser.add_argument("--fresh", action="store_true", help="forget what was kept before")
    parser.add_argument("--free-ports", action="store_true", help="free ports, not the usual ones")
    parser.add_argument(
        "--dialect", choices=("5", "6"), default="6", help="fake simple_oauth 5 or 6"
    )
    parser.add_argument(
        "--front",
        choices=get_args(Front),
        default="urls",
        help="urls: both Function URLs, challenge header renamed; edge: one host, header restored; "
        "containers: the doors as a container runs them",
    )
    parser.add_argument("--log-level", default="INFO")
    parser.add_argument(
        "--artifacts",
        nargs="?",
        type=Path,
        const=CURRENT,
        metavar="FOLDER",
        help="run built artifacts, not the checkout: those in FOLDER, else built when stale",
    )
    parser.add_argument("--refresh-seconds", type=float, default=60.0, help="tick of token_refresh")
    parser.add_argument("--cleanup-seconds", type=float, default=300.0, help="tick of cleanup")
    parser.add_argument(
        "--canary-seconds", type=float, default=60.0, help="tick of canary; 0: none"
    )
    real = parser.add_argument_group("a real Drupal instead of the fake one")
    real.add_argument("--drupal-url", help="origin of the site, such as https://example.com")
    real.add_argument("--drupal-client-id", help="our client id there")
    real.add_argument("--drupal-client-secret", help="our secret; none for a public client")
    real.add_argument("--drupal-scopes", help="scopes to ask for, separated by spaces")
    return parser


def _options(given: argparse.Namespace, parser: argparse.ArgumentParser) -> StackOptions:
    site: FakeSite | RealSite = FakeSite(given.dialect)
    if given.drupal_url:
        if not given.drupal_client_id:
            parser.error("--drupal-url needs --drupal-client-id")
        secret = given.drupal_client_secret or os.environ.get("DRUPAL_CLIENT_SECRET")
        site = RealSite(
            given.drupal_url.rstrip("/"), given.drupal_client_id, secret, given.drupal_scopes
        )
    return StackOptions(
        data_dir=given.data_dir,
        site=site,
        front=given.front,
        fixed_ports=not given.free_ports,
        refresh_interval_seconds=given.refresh_seconds,
        cleanup_interval_seconds=given.cleanup_seconds,
        canary_interval_seconds=given.canary_seconds or None,
        watched=True,
        log_level=given.log_level,
        artifacts=_artifacts(given),
    )


def _artifacts(given: argparse.Namespace) -> Artifacts | None:
    if given.artifacts is None:
        return None
    return current_artifacts() if given.artifacts == CURRENT else artifacts_in(given.artifacts)


async def _up(options: StackOptions, *, fresh: bool) -> None:
    asked_to_end = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, asked_to_end.set)
    async with running_stack(options, fresh=fresh) as stack:
        logging.basicConfig(
            filename=stack.folder.logs / "schedules.log",
            level=logging.INFO,
            format="%(asctime)s %(message)s",
        )
        for part in stack.addresses.moved:
            print(f"note: the port of {part} was taken; clients must be connected anew")
        print(announcement(stack.description(), str(options.data_dir)), flush=True)
        ending = asyncio.create_task(asked_to_end.wait())
        watching = asyncio.create_task(stack.watch())
        await asyncio.wait({ending, watching}, return_when=asyncio.FIRST_COMPLETED)
        ending.cancel()
        if watching.done():
            watching.result()
        watching.cancel()
        print("\nstopping", flush=True)


def _demo(given: argparse.Namespace) -> int:
    # A client and a browser, which the other commands need not wait for.
    from scripts.local_stack import demo  # noqa: PLC0415 - takes 2 s to import
    from scripts.local_stack.browser import BrowserError  # noqa: PLC0415 - same

    try:
        asyncio.run(demo.run(given.dialect, front=given.front, artifacts=_artifacts(given)))
    except (demo.DemoFailedError, BrowserError) as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    return 0


def _status(folder: DataFolder) -> int:
    if not folder.in_use():
        print(f"no stack runs on {folder.path}")
        return 1
    print(announcement(folder.read(STACK_FILE), str(folder.path)))
    return 0


def _tail(folder: DataFolder) -> int:
    if not folder.in_use():
        print(f"no stack runs on {folder.path}")
        return 1
    with contextlib.suppress(KeyboardInterrupt):
        tail.follow(folder.logs, folder.in_use)
    return 0


def _stop(folder: DataFolder) -> int:
    pid = folder.read(STACK_FILE).get("pids", {}).get("stack")
    if not folder.in_use() or pid is None:
        print(f"no stack runs on {folder.path}")
        return 1
    os.kill(pid, signal.SIGTERM)
    give_up_at = time.monotonic() + _STOP_SECONDS_MAX
    while folder.in_use():
        if time.monotonic() > give_up_at:
            print(f"process {pid} does not end")
            return 1
        time.sleep(_POLL_SECONDS)
    return 0


_OF_A_RUNNING_STACK: Final[Mapping[str, Callable[[DataFolder], int]]] = {
    "status": _status,
    "tail": _tail,
    "stop": _stop,
}


def main() -> int:
    """Do what the command line says; the exit status."""
    parser = _parser()
    given = parser.parse_args()
    folder = DataFolder(given.data_dir)
    if given.command in _OF_A_RUNNING_STACK:
        return _OF_A_RUNNING_STACK[given.command](folder)
    try:
        if given.command == "demo":
            return _demo(given)
        asyncio.run(_up(_options(given, parser), fresh=given.fresh))
    except DataFolderInUseError:
        pid = folder.read(STACK_FILE).get("pids", {}).get("stack", "starting up")
        print(f"a stack runs on {folder.path} already (process {pid}).", file=sys.stderr)
        print("`scripts/dev status` shows it, `scripts/dev stop` ends it.", file=sys.stderr)
        return 2
    except _FAILURES as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    except ExceptionGroup as group:
        for one in _leaves(group):
            print(f"{type(one).__name__}: {one}", file=sys.stderr)
        return 1
    return 0


def _leaves(error: Exception) -> list[Exception]:
    """The errors in a group, which the SDK's task groups wrap around each other."""
    if isinstance(error, ExceptionGroup):
        return [leaf for inner in error.exceptions for leaf in _leaves(inner)]
    return [error]


if __name__ == "__main__":
    sys.exit(main())
