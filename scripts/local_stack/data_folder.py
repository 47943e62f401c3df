"""The folder in which a stack keeps its data between runs, and who may use it.

Two stacks must never share one: the first holds a lock that the kernel gives back at its death.
"""

import fcntl
import json
import shutil
from pathlib import Path
from typing import Any, Self, TextIO


class DataFolderInUseError(Exception):
    """Another stack uses this folder."""


class DataFolder:
    """Names and the lock of one data folder."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()
        self.logs = self.path / "logs"
        self.postgres = self.path / "postgres"
        self.drupal = self.path / "drupal"
        self.kms_key = self.path / "kms-key.json"
        self._lock: TextIO | None = None

    def __enter__(self) -> Self:
        """Take the folder for this process.

        Raises:
            DataFolderInUseError: a running stack has it.
        """
        self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Closed by __exit__; not inherited by children, so that it goes with this process.
        lock = (self.path / "lock").open("a")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            raise DataFolderInUseError from None
        self._lock = lock
        self.logs.mkdir(exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder back."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None

    def in_use(self) -> bool:
        """Whether a running stack has this folder."""
        if not self.path.exists():
            return False
        try:
            with DataFolder(self.path):
                return False
        except DataFolderInUseError:
            return True

    def wipe(self) -> None:
        """Delete everything that was kept, and nothing that this stack did not make."""
        for kept in (self.logs, self.postgres, self.drupal):
            shutil.rmtree(kept, ignore_errors=True)
        for name in (self.kms_key.name, "drupal-client.json", "ports.json", "stack.json"):
            (self.path / name).unlink(missing_ok=True)
        self.logs.mkdir(exist_ok=True)

    def read(self, name: str) -> dict[str, Any]:
        """A kept JSON file; empty when there is none."""
        file = self.path / name
        return dict(json.loads(file.read_text())) if file.exists() else {}

    def write(self, name: str, content: dict[str, Any]) -> None:
        """Keep a JSON file, readable by its owner only, never seen half written."""
        unfinished = self.path / f"{name}.new"
        unfinished.touch(mode=0o600)
        unfinished.write_text(json.dumps(content, indent=2) + "\n")
        unfinished.replace(self.path / name)

    def forget(self, name: str) -> None:
        """Delete a kept file if it is there."""
        (self.path / name).unlink(missing_ok=True)
