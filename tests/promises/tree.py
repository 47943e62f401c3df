"""The files of this tree as a clone would have them."""

import os
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HIDDEN_BUT_OURS = frozenset({".checkov.yaml", ".ci", ".github", ".gitignore"})
NOT_OURS = frozenset({"__pycache__", "node_modules", "dist"})


def files() -> list[Path]:
    """Every file that belongs to the project, relative to its root."""
    found = []
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if _ours(name)]
        found += [(Path(folder) / name).relative_to(ROOT) for name in names if _ours(name)]
    return sorted(found)


def _ours(name: str) -> bool:
    hidden = name.startswith(".") and name not in HIDDEN_BUT_OURS
    return not hidden and name not in NOT_OURS


def texts() -> list[tuple[Path, str]]:
    """Every file that is text, with its text."""
    found = []
    for path in files():
        try:
            found.append((path, (ROOT / path).read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def markdown() -> list[Path]:
    """Every document."""
    return [path for path in files() if path.suffix == ".md"]


def sections(document: str, *, after: str = "\n", level: str = "### ") -> dict[str, str]:
    """Headings of ``document`` at ``level``, from the heading ``after`` on, with their text."""
    text = (ROOT / document).read_text(encoding="utf-8").split(after, 1)[-1]
    found: dict[str, str] = {}
    heading = None
    for line in text.splitlines():
        if line.startswith(level):
            heading = line.removeprefix(level)
            assert heading not in found, f"{document}: {heading} twice"
            found[heading] = ""
        elif line.startswith("#"):
            heading = None
        elif heading is not None:
            found[heading] += f"{line} "
    return {name: body.strip() for name, body in found.items()}
