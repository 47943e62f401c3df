"""What the managed runtime brings along, on this machine: a bare Python, the runtime client.

The interpreter must be of the version that production runs, and must see no installed package:
what an artifact lacks has to be missed here, too.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

PYTHON_VERSION: Final = "3.13"
_RUNTIME_CLIENT: Final = ("awslambdaric", "runtime_client", "simplejson", "snapshot_restore_py")


class NoPythonError(Exception):
    """This machine has no Python of the version that production runs."""


def find_python() -> Path:
    """An interpreter of that version: this one's, else on PATH, else among pyenv's.

    Raises:
        NoPythonError: there is none.
    """
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    name = f"python{PYTHON_VERSION}"
    candidates = [
        Path(sys.base_prefix) / "bin" / name,
        *(Path(found) for found in [shutil.which(name)] if found),
        *sorted(pyenv.glob(f"{PYTHON_VERSION}.*/bin/{name}")),
    ]
    for candidate in candidates:
        if _runs(candidate):
            return candidate
    raise NoPythonError(f"no Python {PYTHON_VERSION} on this machine")


def _runs(python: Path) -> bool:
    """Whether it starts and is of that version; pyenv's shims are there for every version."""
    ask = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        answer = subprocess.run(
            [python, "-I", "-c", ask], check=False, capture_output=True, text=True
        )
    except OSError:
        return False
    return answer.returncode == 0 and answer.stdout.strip() == PYTHON_VERSION


def make_bare_python(folder: Path) -> None:
    """An environment with nothing installed: the interpreter's own packages are not seen."""
    command = [find_python(), "-m", "venv", "--without-pip", folder]
    subprocess.run([str(part) for part in command], check=True, capture_output=True)


def copy_runtime_client(artifact: Path, folder: Path) -> None:
    """The runtime client, which the platform has and only the streaming function ships."""
    folder.mkdir(parents=True)
    for found in artifact.iterdir():
        if not found.name.startswith(_RUNTIME_CLIENT) or found.suffix == ".dist-info":
            continue
        if found.is_dir():
            shutil.copytree(found, folder / found.name)
        else:
            shutil.copy2(found, folder / found.name)
