"""Child processes that are made in milliseconds: forked from one that has everything imported.

A child ends with its parent: the pipe between them tells.
"""

import multiprocessing
import os
import sys
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final, TypeAlias

END_SECONDS_MAX: Final = 10.0
_context = multiprocessing.get_context("forkserver")
_PRELOADED: Final = (
    "scripts.benchmarks.breaker.caller_process",
    "scripts.benchmarks.breaker.moody_site",
    "scripts.benchmarks.refresh.commands",
    "scripts.benchmarks.refresh.crowd_worker",
    "scripts.benchmarks.refresh.site_process",
)

Pipe: TypeAlias = "Connection[Any, Any]"
Target = Callable[..., None]


class ChildFailedError(Exception):
    """A child did not answer; its log file says why."""


class Child:
    """A process, and the parent's end of the pipe to it."""

    def __init__(self, target: Target, *arguments: object, log_file: Path) -> None:
        _context.set_forkserver_preload(list(_PRELOADED))
        self.pipe, theirs = _context.Pipe()
        self._log_file = log_file
        self._process: BaseProcess = _context.Process(
            target=_begin, args=(target, theirs, log_file, arguments), daemon=True
        )
        self._process.start()
        theirs.close()

    @property
    def has_ended(self) -> bool:
        """Whether it is gone."""
        return not self._process.is_alive()

    def ask(self, command: str, *arguments: object) -> Any:
        """Send a command; its answer.

        Raises:
            ChildFailedError: it has ended instead.
        """
        try:
            self.pipe.send((command, arguments))
            return self.pipe.recv()
        except (EOFError, OSError) as error:
            raise ChildFailedError(str(self._log_file)) from error

    def close(self) -> None:
        """End it and wait until it is gone."""
        self.pipe.close()
        self._process.join(END_SECONDS_MAX)
        if self._process.is_alive():
            self._process.kill()
            self._process.join()


def _begin(target: Target, pipe: Pipe, log_file: Path, arguments: tuple[object, ...]) -> None:
    """What the child prints, logs included, goes to its file: the terminal is the report's."""
    with log_file.open("a") as log:
        os.dup2(log.fileno(), sys.stdout.fileno())
        os.dup2(log.fileno(), sys.stderr.fileno())
    target(pipe, *arguments)
