"""What was asked of the fake site: for assertions and for the person who watches the stack.

Never keeps a parameter, token, code or cookie value.
"""

import asyncio
from collections import Counter, deque
from dataclasses import asdict, dataclass

ENTRIES_MAX = 5_000


@dataclass(slots=True, kw_only=True)
class LogEntry:
    """One request; ``milliseconds`` is our own time, None while it is under way."""

    number: int
    at: float
    method: str
    path: str
    route: str
    correlation_id: str | None = None
    traceparent: str | None = None
    grant_type: str | None = None
    rpc_method: str | None = None
    account: str | None = None
    status: int | None = None
    fault: str | None = None
    milliseconds: float | None = None


class RequestLog:
    """The last requests, and counts per route class and per JSON-RPC method."""

    def __init__(self) -> None:
        self._entries: deque[LogEntry] = deque(maxlen=ENTRIES_MAX)
        self._number = 0
        self._changed = asyncio.Event()
        self.counts: Counter[str] = Counter()

    def begin(self, entry: LogEntry) -> None:
        """A request has arrived."""
        self._entries.append(entry)
        self.counts[entry.route] += 1
        self.counts["any"] += 1
        if entry.rpc_method:
            self.counts[f"rpc:{entry.rpc_method}"] += 1
        if entry.grant_type:
            self.counts[f"grant:{entry.grant_type}"] += 1
        self._changed.set()
        self._changed = asyncio.Event()

    def next_number(self) -> int:
        """A number for the next entry."""
        self._number += 1
        return self._number

    def entries(self, route: str | None = None) -> list[LogEntry]:
        """Oldest first, of one route class or of all."""
        return [entry for entry in self._entries if route in (None, "any", entry.route)]

    async def wait_for(self, route: str, count: int, *, timeout_seconds: float) -> None:
        """Until so many requests of a route class have arrived since the last clear.

        Raises:
            TimeoutError: they did not come in time.
        """
        async with asyncio.timeout(timeout_seconds):
            while self.counts[route] < count:
                await self._changed.wait()

    def as_json(self) -> dict[str, object]:
        """Counts and entries for the control API."""
        return {"counts": dict(self.counts), "requests": [asdict(item) for item in self._entries]}

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()
        self.counts.clear()
