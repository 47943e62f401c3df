"""An environment that does what it is told, one command at a time, and tells how long it took.

It is never killed; it signs people in, measures, and finds out who is left at the end.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

from functions.token_refresh.refresh_tick import RefreshTick
from scripts.benchmarks.refresh import people
from scripts.benchmarks.refresh.children import Pipe
from scripts.benchmarks.refresh.naive import Way
from scripts.benchmarks.refresh.nets import Nets, opened_nets
from scripts.benchmarks.refresh.parts import Parts, Surroundings, environment
from scripts.benchmarks.refresh.steps import Step
from shared.domain.identifiers import GrantId
from shared.errors.base import ServiceError
from shared.state import grants
from shared.workflows.refresh_grant import RefreshOutcome

_VERDICT_PAUSE_SECONDS: Final = 0.05
_INVOCATION_SECONDS: Final = 600.0
LOST_UNKNOWN: Final = "no verdict"


@dataclass(slots=True)
class Stopwatch:
    """Times of one refresh in milliseconds."""

    windows: list[float] = field(default_factory=list)
    """From reading the site's answer to the acknowledged commit of the new pair."""
    _read_at: float | None = None

    def passed(self, step: Step) -> None:
        """A step was done."""
        if step is Step.REPLY_READ:
            self._read_at = time.perf_counter()

    def committing(self) -> None:
        """Not measured."""

    def committed(self) -> None:
        """The window is closed."""
        if self._read_at is not None:
            self.windows.append((time.perf_counter() - self._read_at) * 1000)
            self._read_at = None


def serve(pipe: Pipe, around: Surroundings, nets: Nets) -> None:
    """Follow commands until the pipe closes."""
    asyncio.run(_serve(pipe, around, nets))


async def _serve(pipe: Pipe, around: Surroundings, nets: Nets) -> None:
    stopwatch = Stopwatch()
    with opened_nets(nets) as opened:
        async with environment(around, stopwatch, nets=opened) as parts:
            follower = _Follower(parts, around, stopwatch)
            while True:
                try:
                    # Nothing else is to run meanwhile.
                    command, arguments = pipe.recv()
                except EOFError:
                    return
                pipe.send(await follower.commands[command](*arguments))


class _Follower:
    def __init__(self, parts: Parts, around: Surroundings, stopwatch: Stopwatch) -> None:
        self._parts = parts
        self._around = around
        self._stopwatch = stopwatch
        self.commands: dict[str, Callable[..., Awaitable[Any]]] = {
            "store": self._store,
            "refresh": self._refresh,
            "windows": self._windows,
            "tick": self._tick,
            "verdict": self._verdict,
        }

    async def _store(self, answers: list[dict[str, Any]]) -> list[GrantId]:
        return await people.store(self._parts, self._around.site.url, answers)

    async def _refresh(self, grant_id: GrantId) -> float:
        """Milliseconds that one refresh took."""
        generation = await self._generation(grant_id)
        started = time.perf_counter()
        outcome = await self._parts.refresher.refresh(grant_id, generation)
        taken = (time.perf_counter() - started) * 1000
        if outcome is not RefreshOutcome.REFRESHED:
            raise RuntimeError(outcome)
        return taken

    async def _windows(self) -> list[float]:
        return self._stopwatch.windows

    async def _tick(self, batch_max: int, concurrency_max: int) -> tuple[int, float]:
        """Refreshes that one tick of the schedule did, and the seconds it took."""
        tick = RefreshTick(
            self._parts.database,
            self._parts.refresher,
            batch_max=batch_max,
            concurrency_max=concurrency_max,
            seconds_left=lambda: _INVOCATION_SECONDS,
        )
        started = time.perf_counter()
        counts = await tick.run()
        return counts[RefreshOutcome.REFRESHED], time.perf_counter() - started

    async def _verdict(
        self, grant_ids: list[GrantId], way: Way, seconds_max: float
    ) -> dict[GrantId, str]:
        """Whom the site refuses in the end, and why: each is refreshed until that is clear."""
        lost: dict[GrantId, str] = {}
        open_ones = list(grant_ids)
        give_up_at = time.monotonic() + seconds_max
        while open_ones and time.monotonic() < give_up_at:
            left = []
            for grant_id in open_ones:
                outcome = await self._outcome(grant_id, way)
                if outcome is RefreshOutcome.REJECTED:
                    lost[grant_id] = await self._cause(grant_id)
                elif outcome is not RefreshOutcome.REFRESHED:
                    left.append(grant_id)
            open_ones = left
            await asyncio.sleep(_VERDICT_PAUSE_SECONDS)
        return lost | dict.fromkeys(open_ones, LOST_UNKNOWN)

    async def _outcome(self, grant_id: GrantId, way: Way) -> RefreshOutcome:
        if await self._cause(grant_id):
            return RefreshOutcome.REJECTED
        try:
            return await self._parts.refresh(way, grant_id, await self._generation(grant_id))
        except ServiceError:
            return RefreshOutcome.INDETERMINATE

    async def _generation(self, grant_id: GrantId) -> int:
        async with self._parts.database.autocommit() as tx:
            grant = await grants.find(tx, grant_id)
        return grant.pair_generation if grant else 0

    async def _cause(self, grant_id: GrantId) -> str:
        async with self._parts.database.autocommit() as tx:
            found = await tx.row(
                "SELECT ended_cause FROM app.grants WHERE grant_id = %(grant_id)s",
                {"grant_id": grant_id},
            )
        return str((found or {}).get("ended_cause") or "")
