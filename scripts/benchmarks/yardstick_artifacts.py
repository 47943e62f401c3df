"""Artifacts of the yardsticks, built like those of the functions, and copies of artifacts.

The bare server gets the versions that the functions are pinned to, and nothing else.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from scripts.artifacts.build import PROJECT, BuildError, machine
from scripts.artifacts.managed_runtime import PYTHON_VERSION, find_python

FOLDER: Final = PROJECT / ".dev" / "bench"
EMPTY: Final = "empty_function"
BARE: Final = "bare_sdk_server"
_PINS: Final = PROJECT / "requirements" / "mcp_endpoint.txt"
_SOURCES: Final = Path(__file__).with_name("yardsticks")
_FINGERPRINT: Final = "fingerprint"


def yardstick(name: str) -> Path:
    """The artifact of a yardstick, built when its source or the pins have changed.

    Raises:
        BuildError: it could not be built.
    """
    folder = FOLDER / name
    source = _SOURCES / f"{name}.py"
    wanted = hashlib.sha256(source.read_bytes() + _PINS.read_bytes()).hexdigest()
    marker = FOLDER / f"{name}.{_FINGERPRINT}"
    if folder.is_dir() and marker.is_file() and marker.read_text() == wanted:
        return folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if name == BARE:
        _install(folder)
    shutil.copy2(source, folder)
    _run(
        *(find_python(), "-m", "compileall", "-q", "-j", "0"),
        *("--invalidation-mode", "unchecked-hash", folder),
    )
    marker.write_text(wanted)
    return folder


def _install(folder: Path) -> None:
    _run(
        *(Path(sys.executable).with_name("uv"), "pip", "install", "--quiet", "--no-config"),
        *("--only-binary", ":all:", "--no-installer-metadata", "--target", folder),
        *("--python-platform", f"{machine()}-manylinux_2_28", "--python-version", PYTHON_VERSION),
        *("--constraints", _PINS, "mcp"),
    )
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _run(*command: str | Path) -> None:
    answer = subprocess.run(command, check=False, capture_output=True, text=True)
    if answer.returncode != 0:
        raise BuildError(f"{Path(command[0]).name}: {answer.stderr.strip()}")


def copy_of(artifact: Path, folder: Path, *, byte_code: bool = True) -> Path:
    """A copy that takes no space but for its folders; without byte code, as `sam build` leaves it.

    ``folder`` must be on the same file system.
    """
    skip = None if byte_code else shutil.ignore_patterns("__pycache__")
    copied = shutil.copytree(artifact, folder, symlinks=True, ignore=skip, copy_function=os.link)
    return Path(copied)
