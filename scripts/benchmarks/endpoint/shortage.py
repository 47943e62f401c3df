"""Far more callers than Postgres has connections: who is refused, how fast, and what remains."""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql

from scripts.benchmarks.endpoint.environments import running_environments
from scripts.benchmarks.endpoint.outage import callers_of
from scripts.benchmarks.endpoint.patient_caller import REQUESTS, PatientCaller, Try, Verdict
from scripts.benchmarks.endpoint.premises import Premises
from scripts.benchmarks.samples import Summary, summary
from shared.state.roles import AppRole

NO_LIMIT: Final = -1
_RESTS_SECONDS: Final = 0.2
"""Between two calls of one caller."""
_CONNECTED: Final = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
_DISCONNECT: Final = (
    "SELECT count(pg_terminate_backend(pid, 5000)) FROM pg_stat_activity WHERE usename = %s"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShortageExtent:
    """How many call how often, and how many connections there are for them."""

    callers: int
    calls_each: int
    connections: int


@dataclass(frozen=True, kw_only=True)
class Shortage:
    """What became of everybody."""

    callers: int
    connections: int
    calls: int
    refused: int
    refused_share: float
    wrong: int
    signed_out: int
    refusal_seconds: Summary | None
    connections_meanwhile: int
    """At the end of the shortage."""
    all_served_seconds: float
    """From its end until everybody has been answered, waiting as told."""
    afterwards_seconds: Summary
    """A call of each, all at once, when that is over."""
    tasks_left: int
    """Tasks of this process that were not there before."""


async def measure(around: Premises, extent: ShortageExtent) -> Shortage:
    """Everybody calls at once, without waiting as told; then the limit is lifted."""
    async with running_environments(around, extent.callers) as environments:
        callers = await callers_of(environments)
        for caller in callers:
            caller.newcomer = True
            caller.tries.clear()
        tasks_before = len(asyncio.all_tasks())
        _limit(around, extent.connections)
        await asyncio.gather(*(_calls(caller, extent.calls_each) for caller in callers))
        short = _tries(callers)
        connected = _connected(around)
        _limit(around, NO_LIMIT)
        began = time.monotonic()
        await asyncio.gather(*(caller.call(REQUESTS[0]) for caller in callers))
        all_served = time.monotonic() - began
        for caller in callers:
            caller.tries.clear()
        await asyncio.gather(*(caller.call(REQUESTS[0]) for caller in callers))
        tasks_left = len(asyncio.all_tasks()) - tasks_before
    refused = [one.seconds for one in short if one.verdict is Verdict.REFUSED]
    return Shortage(
        callers=extent.callers,
        connections=extent.connections,
        calls=len(short),
        refused=len(refused),
        refused_share=len(refused) / len(short),
        wrong=sum(one.verdict is Verdict.WRONG for one in short),
        signed_out=sum(one.verdict is Verdict.SIGNED_OUT for one in short),
        refusal_seconds=summary(refused) if refused else None,
        connections_meanwhile=connected,
        all_served_seconds=all_served,
        afterwards_seconds=summary([one.seconds for one in _tries(callers)]),
        tasks_left=tasks_left,
    )


async def _calls(caller: PatientCaller, times: int) -> None:
    for number in range(times):
        await caller.call(REQUESTS[number % len(REQUESTS)], wait=False)
        await asyncio.sleep(_RESTS_SECONDS)


def _tries(callers: Sequence[PatientCaller]) -> list[Try]:
    return [one for caller in callers for tries in caller.tries for one in tries]


def _limit(around: Premises, connections: int) -> None:
    """So many for the endpoint's role; when it gets fewer it loses those that it has."""
    role = AppRole.MCP_ENDPOINT.value
    change = sql.SQL("ALTER ROLE {} CONNECTION LIMIT {}")
    with psycopg.connect(around.conninfo, autocommit=True) as connection:
        connection.execute(change.format(sql.Identifier(role), sql.Literal(connections)))
        if connections != NO_LIMIT:
            connection.execute(_DISCONNECT, [role])


def _connected(around: Premises) -> int:
    with psycopg.connect(around.conninfo) as connection:
        row = connection.execute(_CONNECTED, [AppRole.MCP_ENDPOINT.value]).fetchone()
    return 0 if row is None else int(row[0])
