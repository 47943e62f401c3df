"""A part of the stack that runs as a process of its own.

It must never outlive the stack, and its log goes to a file, not to the person's terminal.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from scripts.local_stack import die_with_parent

READY_SECONDS_MAX: Final = 60.0
STOP_SECONDS_MAX: Final = 5.0
_POLL_SECONDS: Final = 0.02
_LOG_LINES_SHOWN: Final = 15


class PartFailedError(Exception):
    """A part did not start or has ended; the message says which and shows its last log lines."""


class ChildProcess:
    """One Python module as a child process that listens on a port."""

    def __init__(self, name: str, module: str, *, log_file: Path) -> None:
        self.name = name
        self.log_file = log_file
        self._module = module
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        return None if self._process is None else self._process.pid

    @property
    def has_ended(self) -> bool:
        """Whether it was started and is gone."""
        return self._process is not None and self._process.poll() is not None

    def start(self, arguments: Sequence[str], environment: Mapping[str, str] | None = None) -> None:
        """Start it. Call this on the main thread: the process ends with its starting thread."""
        command = [sys.executable, "-m", self._module, *arguments]
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                die_with_parent.command(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
                start_new_session=True,  # Ctrl-C in a terminal is the stack's to handle
            )

    async def wait_until_it_listens(self, host: str, port: int) -> None:
        """Return as soon as it accepts connections.

        Raises:
            PartFailedError: it ended, or did not listen in time.
        """
        give_up_at = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < give_up_at and not self.has_ended:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection(host, port)
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()
                return
            await asyncio.sleep(_POLL_SECONDS)
        raise PartFailedError(self.obituary())

    def obituary(self) -> str:
        """That it is gone, and the last lines of its log."""
        lines = self.log_file.read_text(errors="replace").splitlines()[-_LOG_LINES_SHOWN:]
        return "\n".join([f"{self.name} does not run; {self.log_file} ends with:", *lines])

    def stop(self) -> None:
        """End it and wait until it is gone."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
