"""Runs PgBouncer, pooling in transactions, as a child process in front of a Postgres server.

Set up so that whatever relies on a session shows: two transactions of one client run on two
sessions of the server, in turn. Reachable through a Unix socket only, as the server behind it.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, Self

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from scripts.local_stack import die_with_parent
from scripts.local_stack.ordinary_user import OrdinaryUser
from scripts.local_stack.postgres import SUPERUSER
from shared.state.roles import AppRole

THROUGH_VARIABLE: Final = "DATABASE_THROUGH"
"""Set to ``pgbouncer``, tests and local stack put one between themselves and Postgres."""
ADMIN_CONSOLE: Final = "pgbouncer"
START_SECONDS_MAX: Final = 10.0
STOP_SECONDS_MAX: Final = 5.0

_NAME: Final = "pgbouncer"
_PORT: Final = 6432
_POLL_SECONDS: Final = 0.01
_SYSTEM_FOLDERS: Final = "/usr/sbin:/usr/local/sbin"  # Debian's place is on root's PATH only
_SETTINGS: Final[Mapping[str, str]] = {
    "listen_port": str(_PORT),
    "auth_type": "trust",
    "admin_users": SUPERUSER,
    "pool_mode": "transaction",
    # The next transaction gets the session that rested longest, and there are two from the start.
    "server_round_robin": "1",
    "min_pool_size": "2",
    "default_pool_size": "20",
    "max_client_conn": "500",
    "log_connections": "0",
    "log_disconnections": "0",
}


class PgBouncerStartError(Exception):
    """PgBouncer did not start; the message says why."""


def is_wanted() -> bool:
    """Whether the environment asks for PgBouncer in between.

    Raises:
        PgBouncerStartError: it asks for something else.
    """
    chosen = os.environ.get(THROUGH_VARIABLE, "")
    if chosen not in {"", _NAME}:
        raise PgBouncerStartError(f"{THROUGH_VARIABLE} can be {_NAME}, and nothing else")
    return bool(chosen)


def binary() -> str:
    """The path of the program.

    Raises:
        PgBouncerStartError: it is not installed.
    """
    path = shutil.which(_NAME, path=f"{os.environ.get('PATH', os.defpath)}:{_SYSTEM_FOLDERS}")
    if path is None:
        raise PgBouncerStartError("PgBouncer is not installed (apt-get install pgbouncer)")
    return path


class PgBouncer:
    """One PgBouncer in front of one server, with a folder of its own.

    Start it from a thread that lives as long as it shall, as the server itself.
    """

    def __init__(self, server_conninfo: str) -> None:
        # Of its own: the path of a Unix socket must be short.
        self._folder = Path(tempfile.mkdtemp(prefix="dmcp-pool-"))
        self._server = conninfo_to_dict(server_conninfo)
        self._user = OrdinaryUser()
        self._log_file = self._folder / "pgbouncer.log"
        self._process: subprocess.Popen[bytes] | None = None

    @classmethod
    def in_front_of(cls, server_conninfo: str) -> Self:
        """One that runs.

        Raises:
            PgBouncerStartError: it could not start.
        """
        pool = cls(server_conninfo)
        try:
            pool.start()
        except BaseException:
            pool.stop()
            raise
        return pool

    @property
    def address(self) -> dict[str, str]:
        """Host and port, as libpq takes them."""
        return {"host": str(self._folder), "port": str(_PORT)}

    def start(self) -> None:
        """Start it; on return it takes connections.

        Raises:
            PgBouncerStartError: it could not.
        """
        self._user.own(self._folder)
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(self._configuration())
        with self._log_file.open("ab") as log:
            self._process = subprocess.Popen(
                die_with_parent.command([*self._user.prefix, binary(), str(settings)]),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is the stack's to handle
                user=self._user.user_id,
                group=self._user.user_id,
            )
        self._wait_until_ready()

    def stop(self) -> None:
        """End it at once, for good; every connection through it breaks, and its folder goes."""
        if self._process is not None:
            self._process.send_signal(signal.SIGTERM)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._process = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _configuration(self) -> str:
        names = [SUPERUSER, *(role.value for role in AppRole)]
        users = self._folder / "users.txt"
        users.write_text("".join(f'"{name}" ""\n' for name in names))
        settings = {
            "unix_socket_dir": str(self._folder),
            "auth_file": str(users),
            **_SETTINGS,
        }
        return "\n".join(
            [
                "[databases]",
                f"* = host={self._server['host']} port={self._server['port']}",
                "[pgbouncer]",
                *(f"{name} = {value}" for name, value in settings.items()),
                "",
            ]
        )

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 - started just before
        console = make_conninfo("", dbname=ADMIN_CONSOLE, user=SUPERUSER, **self.address)
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < give_up_at and self._process.poll() is None:
            with contextlib.suppress(psycopg.OperationalError):
                psycopg.connect(console, autocommit=True).close()
                return
            time.sleep(_POLL_SECONDS)
        raise PgBouncerStartError(f"PgBouncer did not start: {self._log_file.read_text()}")


def break_connections(pooled_conninfo: str) -> None:
    """End everybody's connections to a database through PgBouncer, on both sides of it."""
    database = str(conninfo_to_dict(pooled_conninfo)["dbname"])
    console = make_conninfo(pooled_conninfo, dbname=ADMIN_CONSOLE, user=SUPERUSER)
    with psycopg.connect(console, autocommit=True) as connection:
        for command in ("KILL", "RESUME"):
            # Refused while nobody has used the database yet: nothing is to be ended then.
            with contextlib.suppress(psycopg.OperationalError):
                connection.execute(f"{command} {database}".encode())


@contextlib.contextmanager
def temporary_pgbouncer(server_conninfo: str) -> Iterator[PgBouncer]:
    """PgBouncer in front of a server, gone at the end.

    Raises:
        PgBouncerStartError: it could not start.
    """
    pool = PgBouncer.in_front_of(server_conninfo)
    try:
        yield pool
    finally:
        pool.stop()
