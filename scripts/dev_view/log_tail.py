"""Follows the functions' log files: what they wrote since the last look, line by line.

The files are read, never held up: a slow reader must not slow a function down.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

READ_BYTES_MAX: Final = 1_048_576
"""Of one file in one look; the rest is there at the next."""
LINE_BYTES_MAX: Final = 262_144
"""CloudWatch's limit of one event; what is longer is dropped."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line and the function that wrote it."""

    function: str
    text: str


@dataclass(slots=True)
class _Position:
    offset: int
    unfinished: bytes = b""


@dataclass
class LogTail:
    """The logs of some functions."""

    files: Mapping[str, Path]
    from_start: bool = True
    """Off: only what is written from now on."""
    _positions: dict[str, _Position] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for function, file in self.files.items():
            there = file.stat().st_size if not self.from_start and file.exists() else 0
            self._positions[function] = _Position(there)

    def follow(self, function: str, file: Path) -> None:
        """Follow one more log, from its beginning."""
        self.files = {**self.files, function: file}
        self._positions[function] = _Position(0)

    def lines(self) -> Iterator[LogLine]:
        """The whole lines that came since the last look."""
        for function, file in self.files.items():
            for line in self._of(file, self._positions[function]):
                if len(line) <= LINE_BYTES_MAX:
                    yield LogLine(function, line.decode(errors="replace"))

    def _of(self, file: Path, position: _Position) -> list[bytes]:
        try:
            if file.stat().st_size < position.offset:
                position.offset, position.unfinished = 0, b""
            with file.open("rb") as log:
                log.seek(position.offset)
                read = log.read(READ_BYTES_MAX)
        except FileNotFoundError:
            return []  # the function has not been started yet
        position.offset += len(read)
        *lines, rest = (position.unfinished + read).split(b"\n")
        position.unfinished = rest[: LINE_BYTES_MAX + 1]
        return lines
