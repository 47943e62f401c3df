"""Sizes of artifacts for any architecture: `python -m scripts.artifacts.sizes FOLDER`.

It only looks at files; nothing is run.
"""

import sys
from pathlib import Path
from typing import Final

from scripts.artifacts.build import LOGICAL_IDS, Artifacts

UNZIPPED_MB_MAX: Final = 75


def size_mb(folder: Path) -> float:
    """The unzipped size, in units of 1,000,000 bytes."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def main() -> int:
    """Print every size; the exit status says whether all are within the limit."""
    artifacts = Artifacts(Path(sys.argv[1]))
    sizes = {function: size_mb(artifacts.code_of(function)) for function in LOGICAL_IDS}
    for function, size in sizes.items():
        verdict = "" if size <= UNZIPPED_MB_MAX else f"FAILED: more than {UNZIPPED_MB_MAX} MB"
        print(f"{function:15}{size:7.1f} MB  {verdict}".rstrip())
    return 0 if max(sizes.values()) <= UNZIPPED_MB_MAX else 1


if __name__ == "__main__":
    sys.exit(main())
