"""What a process has used so far, from the kernel's books; Linux only.

Never samples over time: the counters are exact, and reading them costs the process nothing.
"""

import os
from pathlib import Path

_USER_TICKS, _SYSTEM_TICKS = 11, 12
"""Of the fields after the command's name in ``/proc/PID/stat`` (proc(5))."""


def cpu_milliseconds(pid: int) -> float | None:
    """Processor time of all its threads, in steps of the kernel's tick (mostly 10 ms)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    ticks = int(fields[_USER_TICKS]) + int(fields[_SYSTEM_TICKS])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def peak_memory_mb(pid: int) -> float | None:
    """The most memory it ever held, in units of 1,000,000 bytes (``VmHWM``)."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e6
    return None


def resident_memory_mb(pid: int) -> float | None:
    """The memory it holds now, in units of 1,000,000 bytes (second field of ``statm``)."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def open_descriptors(pid: int) -> int | None:
    """How many files and sockets it has open now."""
    try:
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    except OSError:
        return None
