"""One of the workers that serve a crowd, and that may be killed in the middle of it.

It does what functions do: looks at somebody's grant as a call does, refreshes what is about to
expire, and repeats refreshes that a watchdog tells it of.
"""

import asyncio
import contextlib
import json
import random
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from scripts.benchmarks.refresh.children import Pipe
from scripts.benchmarks.refresh.kennel import DatagramWatchdog, worker_address
from scripts.benchmarks.refresh.naive import Way
from scripts.benchmarks.refresh.nets import Nets, opened_nets
from scripts.benchmarks.refresh.parts import Parts, Surroundings, environment
from scripts.benchmarks.refresh.steps import Crashes, Step
from shared.domain.identifiers import GrantId
from shared.errors.base import ServiceError
from shared.state import grants
from shared.workflows.call_upstream import REFRESH_AHEAD_SECONDS

PAUSE_SECONDS: Final = 0.05
_DATAGRAM_BYTES_MAX: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Crowd:
    """What all workers of one run have in common."""

    around: Surroundings
    nets: Nets
    folder: Path
    grant_ids: tuple[GrantId, ...]
    way: Way
    crash_share: float
    crash_steps: frozenset[Step]


def work(pipe: Pipe, crowd: Crowd, number: int, seed: int) -> None:
    """Work until the pipe closes, or until killed."""
    with contextlib.suppress(BrokenPipeError):
        asyncio.run(_work(pipe, crowd, number, seed))


async def _work(pipe: Pipe, crowd: Crowd, number: int, seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - the same accidents in every run
    crashes = Crashes(
        chance, share=crowd.crash_share, steps=crowd.crash_steps, last_words=pipe.send
    )
    with _inbox(worker_address(crowd.folder, number)) as inbox, opened_nets(crowd.nets) as nets:
        async with environment(crowd.around, crashes, nets=nets) as parts:
            worker = _Worker(parts, crowd, crashes)
            while not pipe.poll():
                with contextlib.suppress(ServiceError):
                    await worker.look_after(chance.choice(crowd.grant_ids))
                for message in inbox.messages():
                    await worker.repeat(message)
                await asyncio.sleep(chance.uniform(0.5, 1.5) * PAUSE_SECONDS)


class _Worker:
    def __init__(self, parts: Parts, crowd: Crowd, crashes: Crashes) -> None:
        self._parts = parts
        self._crashes = crashes
        self._kennel = crowd.nets.kennel
        self._way = crowd.way

    async def look_after(self, grant_id: GrantId) -> None:
        """What a call does before it calls: refresh what has little time left."""
        async with self._parts.database.autocommit() as tx:
            grant = await grants.find(tx, grant_id)
            moment = await tx.row("SELECT app.now() AS now")
        soon = (moment or {})["now"] + timedelta(seconds=REFRESH_AHEAD_SECONDS)
        if grant is not None and grant.access_expires_at <= soon:
            await self._refresh(grant_id, grant.pair_generation)

    async def repeat(self, message: dict[str, Any]) -> None:
        """Carry a watchdog's message out; it comes again unless that has worked."""
        grant_id, generation = message["refresh"]
        with contextlib.suppress(ServiceError):
            await self._refresh(GrantId(UUID(grant_id)), generation)
            if self._kennel is not None:
                with DatagramWatchdog(self._kennel) as watchdog:
                    watchdog.done(message["number"])

    async def _refresh(self, grant_id: GrantId, generation: int) -> None:
        self._crashes.refresh_begins()
        await self._parts.refresh(self._way, grant_id, generation)


class _Inbox:
    def __init__(self, bound: socket.socket) -> None:
        self._socket = bound

    def messages(self) -> Iterator[dict[str, Any]]:
        """All that have come."""
        with contextlib.suppress(BlockingIOError):
            while True:
                yield json.loads(self._socket.recv(_DATAGRAM_BYTES_MAX))


@contextlib.contextmanager
def _inbox(address: Path) -> Iterator[_Inbox]:
    address.unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(address))
        bound.setblocking(False)
        yield _Inbox(bound)
