"""Watchdogs: every refresh that begins is repeated after a while, whatever has become of it.

Stands for the queue with delayed messages. A message is delivered again until a worker says that
it is done, as a queue with a visibility timeout does.
"""

import contextlib
import heapq
import itertools
import json
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

from scripts.benchmarks.refresh.fast_time import FastTime
from shared.domain.identifiers import GrantId
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode

VISIBILITY_SECONDS: Final = 3.0
"""Real ones: after so long without a word a message is delivered to another worker."""
_POLL_SECONDS: Final = 0.02
_DATAGRAM_BYTES_MAX: Final = 4_096


class KennelAwayError(UnavailableError):
    """The kennel does not take messages."""

    code = ErrorCode.DATABASE_UNAVAILABLE


class DatagramWatchdog:
    """Asks the kennel for a repeat; in every process that refreshes."""

    def __init__(self, kennel: Path) -> None:
        self._kennel = kennel
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._socket.close()

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """Have the refresh repeated.

        Raises:
            KennelAwayError: it could not be arranged.
        """
        self._send({"arm": [str(grant_id), pair_generation], "delay_seconds": delay_seconds})

    def done(self, number: int) -> None:
        """The repeat with that number was carried out."""
        with contextlib.suppress(KennelAwayError):
            self._send({"done": number})

    def _send(self, message: dict[str, Any]) -> None:
        try:
            self._socket.sendto(json.dumps(message).encode(), str(self._kennel))
        except OSError as error:
            raise KennelAwayError from error


class Kennel(threading.Thread):
    """Keeps the messages and hands them to workers, each at the address ``worker-<n>``."""

    def __init__(self, folder: Path, *, workers: int, fast: FastTime) -> None:
        super().__init__(daemon=True)
        self.address = folder / "kennel"
        self._folder = folder
        self._workers = itertools.cycle(range(workers))
        self._fast = fast
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(str(self.address))
        self._socket.settimeout(_POLL_SECONDS)
        self._waiting: list[tuple[float, int]] = []
        self._messages: dict[int, tuple[str, int]] = {}
        self._numbers = itertools.count()
        self._over = threading.Event()

    def run(self) -> None:
        """Take and deliver messages until closed."""
        while not self._over.is_set():
            with contextlib.suppress(TimeoutError):
                self._take(json.loads(self._socket.recv(_DATAGRAM_BYTES_MAX)))
            self._deliver()

    def close(self) -> None:
        """Stop; what waits is forgotten."""
        self._over.set()
        self.join()
        self._socket.close()

    def _take(self, message: dict[str, Any]) -> None:
        if "done" in message:
            self._messages.pop(message["done"], None)
            return
        grant_id, generation = message["arm"]
        number = next(self._numbers)
        self._messages[number] = (grant_id, generation)
        delay = self._fast.real_seconds(message["delay_seconds"])
        heapq.heappush(self._waiting, (time.monotonic() + delay, number))

    def _deliver(self) -> None:
        now = time.monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, number = heapq.heappop(self._waiting)
            if number not in self._messages:
                continue
            heapq.heappush(self._waiting, (now + VISIBILITY_SECONDS, number))
            grant_id, generation = self._messages[number]
            text = json.dumps({"number": number, "refresh": [grant_id, generation]}).encode()
            # A worker that is just being born again gets it next time.
            with contextlib.suppress(OSError):
                self._socket.sendto(text, str(worker_address(self._folder, next(self._workers))))


def worker_address(folder: Path, number: int) -> Path:
    """Where a worker is told of repeats."""
    return folder / f"worker-{number}"
