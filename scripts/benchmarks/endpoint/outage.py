"""Postgres dies under load and comes back: who gets what meanwhile, and when all is well again."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final

from scripts.benchmarks.endpoint.environments import Environment, running_environments
from scripts.benchmarks.endpoint.patient_caller import (
    REQUESTS,
    Judge,
    PatientCaller,
    Try,
    Verdict,
)
from scripts.benchmarks.endpoint.premises import Premises
from scripts.benchmarks.refresh.world import World

_SETTLE_SECONDS_MAX: Final = 60.0
_POLL_SECONDS: Final = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class OutageExtent:
    """How many call, how often Postgres dies, and for how long it is away."""

    callers: int
    kills: int
    calm_seconds: float
    away_seconds: float


@dataclass(frozen=True, kw_only=True)
class Outage:
    """What became of everybody."""

    callers: int
    kills: int
    away_seconds: list[float]
    """From the kill until Postgres took connections again."""
    calls: int
    answered_while_away: int
    refusals: int
    wrong: int
    signed_out: int
    grants_lost: int
    retries_inside_most: int
    """By the endpoint, of one request."""
    repeats_most: int
    """By a client that waits as told, of one call."""
    refusal_most_seconds: float
    recovery_seconds: list[float]
    """From then until every caller whom nobody knows has been answered."""


async def measure(world: World, around: Premises, extent: OutageExtent) -> Outage:
    """Kill and restart Postgres under load, several times."""
    grants_before = around.live_grants()
    away, recovery, spans = [], [], []
    # The server ends with the thread that starts it: this one stays.
    with ThreadPoolExecutor(max_workers=1) as keeper:
        async with running_environments(around, extent.callers) as environments:
            callers = await callers_of(environments)
            over = asyncio.Event()
            async with asyncio.TaskGroup() as crowd:
                for caller in callers:
                    crowd.create_task(caller.keep_calling(over.is_set))
                for _ in range(extent.kills):
                    await asyncio.sleep(extent.calm_seconds)
                    killed_at, back_at = await _restarted(world, keeper, extent.away_seconds)
                    spans.append((killed_at, back_at))
                    away.append(back_at - killed_at)
                    recovery.append(await _all_served(callers, back_at) - back_at)
                await asyncio.sleep(extent.calm_seconds)
                over.set()
        lost = grants_before - around.live_grants()
    return _outage(extent, callers, away, recovery, spans, lost)


async def callers_of(environments: Sequence[Environment]) -> list[PatientCaller]:
    """One for each, every second of them unknown; all have been answered once."""
    judge = Judge()
    for request in REQUESTS:
        judge.learn(request, await environments[0].call(request))
    callers = [
        PatientCaller(environment, judge, newcomer=number % 2 == 1)
        for number, environment in enumerate(environments)
    ]
    for caller in callers:
        await caller.call(REQUESTS[0])
    return callers


async def _restarted(
    world: World, keeper: ThreadPoolExecutor, away_seconds: float
) -> tuple[float, float]:
    loop = asyncio.get_running_loop()
    killed_at = time.monotonic()
    await loop.run_in_executor(keeper, world.postgres.crash)
    await asyncio.sleep(away_seconds)
    await loop.run_in_executor(keeper, world.postgres.come_back)
    return killed_at, time.monotonic()


async def _all_served(callers: Sequence[PatientCaller], since: float) -> float:
    """When the last of the unknown ones had its first right answer after ``since``."""
    unknown = [caller for caller in callers if caller.newcomer]
    async with asyncio.timeout(_SETTLE_SECONDS_MAX):
        while True:
            served = [_served_at(caller, since) for caller in unknown]
            moments = [moment for moment in served if moment is not None]
            if len(moments) == len(unknown):
                return max(moments)
            await asyncio.sleep(_POLL_SECONDS)


def _served_at(caller: PatientCaller, since: float) -> float | None:
    right = [
        one.answered_at
        for tries in caller.tries
        for one in tries
        if one.verdict is Verdict.RIGHT and one.answered_at - one.seconds >= since
    ]
    return min(right, default=None)


def _outage(
    extent: OutageExtent,
    callers: Sequence[PatientCaller],
    away: list[float],
    recovery: list[float],
    spans: Sequence[tuple[float, float]],
    grants_lost: int,
) -> Outage:
    calls = [tries for caller in callers for tries in caller.tries if tries]
    every = [one for tries in calls for one in tries]
    refused = [one.seconds for one in every if one.verdict is Verdict.REFUSED]
    return Outage(
        callers=extent.callers,
        kills=extent.kills,
        away_seconds=away,
        calls=len(calls),
        answered_while_away=sum(_was_away(one, spans) for one in every),
        refusals=len(refused),
        wrong=sum(one.verdict is Verdict.WRONG for one in every),
        signed_out=sum(one.verdict is Verdict.SIGNED_OUT for one in every),
        grants_lost=grants_lost,
        retries_inside_most=max(one.retries for one in every),
        repeats_most=max(len(tries) for tries in calls) - 1,
        refusal_most_seconds=max(refused, default=0.0),
        recovery_seconds=recovery,
    )


def _was_away(one: Try, spans: Sequence[tuple[float, float]]) -> bool:
    """Whether it is a right answer that was begun and ended without Postgres."""
    begun_at = one.answered_at - one.seconds
    return one.verdict is Verdict.RIGHT and any(
        killed <= begun_at and one.answered_at <= back for killed, back in spans
    )
