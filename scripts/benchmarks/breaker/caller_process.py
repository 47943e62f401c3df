"""A plain process with callers, as many as one environment of the container may have.

Each call makes the query that every call makes, and then the request; what came of it is kept in
memory until the parent asks.
"""

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final, NamedTuple

from scripts.benchmarks.breaker.ways import RefusedError, Way, WayName, opened_way
from scripts.benchmarks.refresh.children import Pipe
from shared.circuit.guard import CircuitGuard
from shared.circuit.watches import rpc_watch
from shared.errors.base import ServiceError
from shared.state.circuits import StoredCircuits
from shared.state.database import Database
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.watching import unwatched

CALLERS: Final = 17
TIMEOUT_SECONDS: Final = 8.0
THINK_SECONDS: Final = 2.0
"""On average, between a caller's calls: twelve such processes make a hundred calls a second."""
PATIENCE_SECONDS: Final = 1.0
READ: Final = "read"

Query = Callable[[], Awaitable[None]]
"""What every call asks the database first."""


class Call(NamedTuple):
    """One call; times of the monotonic clock, which all processes share."""

    began: float
    ended: float
    outcome: str
    """``ok``, ``failed`` or ``refused``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What the process is to do."""

    way: WayName
    conninfo: str
    site_url: str
    number: int


def serve(pipe: Pipe, task: Task) -> None:
    """Call until the pipe closes, and answer the parent's questions meanwhile."""
    asyncio.run(_serve(pipe, task))


async def _serve(pipe: Pipe, task: Task) -> None:
    loop = asyncio.get_running_loop()
    async with _office(task) as (office, query):
        callers = [asyncio.create_task(office.work(number, query)) for number in range(CALLERS)]
        while True:
            try:
                command, _ = await loop.run_in_executor(None, pipe.recv)
            except EOFError:
                break
            if command == "newcomer":
                pipe.send(await office.newcomer(query))
            else:
                taken, office.calls = office.calls, []
                pipe.send(taken)
        for caller in callers:
            caller.cancel()
        await asyncio.gather(*callers, return_exceptions=True)


class _Office:
    def __init__(self, task: Task, way: Way, rpc: DrupalRpc) -> None:
        self.calls: list[Call] = []
        self._task = task
        self._way = way
        self._rpc = rpc
        self._chance = random.Random(task.number)  # noqa: S311 - the same pauses in every run

    async def work(self, caller: int, query: Query) -> None:
        """One caller: call, think, call again."""
        await asyncio.sleep(self._chance.uniform(0, THINK_SECONDS))
        while True:
            self.calls.append(await self._call(caller, query))
            await asyncio.sleep(THINK_SECONDS * self._chance.uniform(0.5, 1.5))

    async def newcomer(self, query: Query) -> tuple[bool, float]:
        """Somebody who comes now: whether they are refused, and after how many milliseconds.

        A newcomer who is not refused at once leaves.
        """
        coming = asyncio.create_task(self._call(CALLERS, query))
        done, _ = await asyncio.wait({coming}, timeout=PATIENCE_SECONDS)
        if not done:
            coming.cancel()
            await asyncio.wait({coming})
            return False, PATIENCE_SECONDS * 1_000
        call = coming.result()
        return call.outcome == "refused", (call.ended - call.began) * 1_000

    async def _call(self, caller: int, query: Query) -> Call:
        await query()
        began = time.monotonic()
        outcome = "ok"
        try:
            await self._way.run(self._request, caller)
        except RefusedError:
            outcome = "refused"
        except ServiceError:
            outcome = "failed"
        return Call(began, time.monotonic(), outcome)

    async def _request(self) -> None:
        await self._rpc.call(
            READ,
            {"process": self._task.number},
            access_token="measured",  # noqa: S106 - made up
            timeout_seconds=TIMEOUT_SECONDS,
        )


@contextlib.asynccontextmanager
async def _office(task: Task) -> AsyncIterator[tuple[_Office, Query]]:
    async with AsyncExitStack() as stack:
        database = Database(task.conninfo)
        stack.push_async_callback(database.close)
        circuits = StoredCircuits(database)
        guard = CircuitGuard(fleet=circuits) if task.way is WayName.OURS else None
        rpc = DrupalRpc(
            DrupalSite(base_url=task.site_url, client_id="measured"),
            watch=unwatched if guard is None else rpc_watch(guard, search_method="search"),
        )
        stack.push_async_callback(rpc.close)
        way = await stack.enter_async_context(opened_way(task.way, callers=CALLERS + 1))

        async def query() -> None:
            with contextlib.suppress(ServiceError):
                view = await circuits.view()
                if guard is not None:
                    guard.hear(view)

        yield _Office(task, way, rpc), query
