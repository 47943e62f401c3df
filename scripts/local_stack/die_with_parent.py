"""Starts a program that cannot outlive the process that started it, not even after kill -9.

Runs as a file of its own (`python -I -S die_with_parent.py PARENT_PID SIGNAL COMMAND…`), so it
must import nothing but the standard library. On Linux it asks the kernel for a signal at the
parent's death and becomes the program; elsewhere it stays and watches.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_WATCH_SECONDS = 0.2


def command(arguments: list[str], *, death_signal: signal.Signals = signal.SIGKILL) -> list[str]:
    """The command line under which `arguments` dies with the calling process.

    The kernel counts the death of the starting *thread*: start it from a thread that stays.
    """
    wrapper = [sys.executable, "-I", "-S", str(Path(__file__).resolve())]
    return [*wrapper, str(os.getpid()), str(int(death_signal)), *arguments]


def _become(parent_pid: int, death_signal: int, arguments: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_PDEATHSIG, death_signal, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent_pid:
        # The parent died before the kernel knew whose death to report.
        sys.exit(1)
    os.execvp(arguments[0], arguments)  # noqa: S606 - no shell: an argument list, on purpose


def _watch(parent_pid: int, death_signal: int, arguments: list[str]) -> int:
    child = subprocess.Popen(arguments)
    for received in (signal.SIGTERM, signal.SIGINT):
        signal.signal(received, lambda number, _frame: child.send_signal(number))
    while True:
        try:
            return child.wait(_WATCH_SECONDS)
        except subprocess.TimeoutExpired:
            if os.getppid() != parent_pid:
                child.send_signal(death_signal)
                return child.wait()


def main() -> None:
    """Read the command line and run the program."""
    parent_pid, death_signal = int(sys.argv[1]), int(sys.argv[2])
    if sys.platform == "linux":
        _become(parent_pid, death_signal, sys.argv[3:])
    sys.exit(_watch(parent_pid, death_signal, sys.argv[3:]))


if __name__ == "__main__":
    main()
