"""Artifacts that run on this machine: built by ``scripts/build`` when the sources have changed.

It must never hand out an artifact of other sources than those in the tree, except one that the
caller has named.
"""

import contextlib
import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.artifacts.managed_runtime import copy_runtime_client, find_python, make_bare_python

PROJECT: Final = Path(__file__).resolve().parents[2]
LOGICAL_IDS: Final = {
    "mcp_endpoint": "McpEndpointFunction",
    "oauth": "OAuthFunction",
    "token_refresh": "TokenRefreshFunction",
    "cleanup": "CleanupFunction",
    "migrate": "MigrateFunction",
    "canary": "CanaryFunction",
    "release_check": "ReleaseCheckFunction",
}
"""The functions, and their names in the template, which `sam build` gives to its folders."""
STREAMING: Final = "mcp_endpoint"
BUILDS_AT_ONCE: Final = 2
_SOURCES: Final = ("functions", "shared", "requirements/*.txt", "scripts/build")
FINGERPRINT_LENGTH: Final = 12
KEPT: Final = 3


class BuildError(Exception):
    """An artifact is missing or could not be built; the message says which and why."""


@dataclass(frozen=True)
class Artifacts:
    """A folder with the artifacts of all functions, ready to run."""

    folder: Path

    def code_of(self, function: str) -> Path:
        """The artifact of a function.

        Raises:
            BuildError: it is not there.
        """
        for name in (function, LOGICAL_IDS[function]):
            if (self.folder / name / "functions" / function / "handler.py").is_file():
                return self.folder / name
        raise BuildError(f"no artifact of {function} in {self.folder}")

    @property
    def python(self) -> Path:
        """The interpreter that runs them; it sees no package but theirs."""
        return self.folder / "platform" / "python" / "bin" / "python"

    @property
    def runtime_client(self) -> Path:
        """The folder of the platform's own packages."""
        return self.folder / "platform" / "runtime"


def machine() -> str:
    """The architecture of this machine, in the words of wheels."""
    return {"arm64": "aarch64"}.get(platform.machine(), platform.machine())


def artifacts_in(folder: Path) -> Artifacts:
    """The artifacts that somebody has built there, for this machine's architecture.

    Raises:
        BuildError: one is missing.
        NoPythonError: nothing here can run them.
    """
    found = Artifacts(folder.resolve())
    for function in LOGICAL_IDS:
        found.code_of(function)
    with _locked(found.folder / "platform.lock"):
        if not found.runtime_client.exists():
            with _replacing(found.folder / "platform") as place:
                make_bare_python(place / "python")
                copy_runtime_client(found.code_of(STREAMING), place / "runtime")
    return found


def current_artifacts() -> Artifacts:
    """Artifacts of the sources in the tree; building all of them takes some 20 s.

    Raises:
        BuildError: one could not be built.
        NoPythonError: nothing here can run them.
    """
    find_python()
    place = PROJECT / "dist" / machine()
    place.mkdir(parents=True, exist_ok=True)
    with _locked(place / "lock"):
        folder = place / source_fingerprint()[:FINGERPRINT_LENGTH]
        if not folder.is_dir():
            with _replacing(folder) as unfinished:
                _build_all(unfinished)
        folder.touch()
        _forget_old(place)
        return artifacts_in(folder)


def _forget_old(place: Path) -> None:
    """Keep a few: a running stack may still be using the one before."""
    folders = [folder for folder in place.iterdir() if folder.is_dir()]
    by_last_use = sorted(folders, key=lambda folder: folder.stat().st_mtime, reverse=True)
    for folder in by_last_use[KEPT:]:
        shutil.rmtree(folder, ignore_errors=True)


def source_fingerprint() -> str:
    """A hash of all that goes into the artifacts."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *_SOURCES]
    listed = subprocess.run(command, cwd=PROJECT, check=True, capture_output=True, text=True)
    digest = hashlib.sha256()
    for name in sorted(set(listed.stdout.splitlines())):
        file = PROJECT / name
        if file.is_file():
            digest.update(f"{name}\n{file.stat().st_size}\n".encode() + file.read_bytes())
    return digest.hexdigest()


def _build_all(folder: Path) -> None:
    def build(function: str) -> None:
        script, place = PROJECT / "scripts" / "build", folder / function
        command = [str(script), function, str(place), machine()]
        # PYTHON chooses the version that tests run on; artifacts are always for production's.
        variables = {name: value for name, value in os.environ.items() if name != "PYTHON"}
        answer = subprocess.run(command, check=False, capture_output=True, text=True, env=variables)
        if answer.returncode != 0:
            raise BuildError(f"{function}: {answer.stderr.strip()}")

    with ThreadPoolExecutor(BUILDS_AT_ONCE) as pool:
        list(pool.map(build, LOGICAL_IDS))


@contextlib.contextmanager
def _replacing(folder: Path) -> Iterator[Path]:
    """A new folder that takes the place of ``folder`` once it is whole."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=f"{folder.name}-") as temporary:
        place = Path(temporary) / "new"
        place.mkdir()
        yield place
        shutil.rmtree(folder, ignore_errors=True)
        place.rename(folder)


@contextlib.contextmanager
def _locked(file: Path) -> Iterator[None]:
    """One builder at a time; the kernel gives the lock back at a process's death."""
    with file.open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
