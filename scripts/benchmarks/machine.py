"""What figures were taken on: they mean nothing without it."""

import os
import platform
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Machine:
    """The machine, and how busy it was."""

    processor: str
    cores: int
    system: str
    python: str
    load: float
    """Processes wanting to run, of the last minute; more than ``cores`` means crowded."""

    def __str__(self) -> str:
        """One line."""
        return (
            f"{self.processor}, {self.cores} cores, {self.system}, Python {self.python}, "
            f"load {self.load:.1f}"
        )


def this_machine() -> Machine:
    """The machine we run on."""
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 1,
        system=f"{platform.system()} {platform.machine()}",
        python=platform.python_version(),
        load=os.getloadavg()[0],
    )


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or "unknown processor")
