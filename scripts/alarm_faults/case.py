"""One fault and the alarms it is for: planted, watched until they go off, undone."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

from scripts.alarm_faults.town import Town
from scripts.alarms.judge import AlarmState
from scripts.dev_view.collector import FasterClock

LOOK_SECONDS: Final = 0.1
REAL_SECONDS_MAX: Final = 150.0
"""A case that has not fired by then will not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A fault. ``plant`` may end, or go on until it is cancelled."""

    fault: str
    alarms: tuple[str, ...]
    plant: Callable[[Town], Awaitable[None]]
    prepare: Callable[[Town], Awaitable[object]] | None = None
    """What has to be there before; its metrics do not count."""
    factor: float = 20.0
    """So many times as fast as in life its time passes for the alarms."""
    synthetic: str = ""
    """Why the data points are made up, if they are."""


@dataclass(frozen=True, slots=True)
class Fired:
    """What came of one alarm; seconds as the alarm counts them, None if it did not go off."""

    alarm: str
    case: Case
    seconds: float | None
    reason: str


async def fire(town: Town, case: Case) -> list[Fired]:
    """Plant the fault and wait for its alarms, then undo it."""
    if case.prepare is not None:
        await case.prepare(town)
    town.collector.begin_anew(FasterClock(case.factor, since=time.time()))
    planting = asyncio.ensure_future(case.plant(town))
    try:
        return await _watch(town, case, planting)
    finally:
        planting.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await planting
        await town.heal()


async def _watch(town: Town, case: Case, planting: "asyncio.Future[None]") -> list[Fired]:
    board, began = town.collector.alarms, town.collector.clock.now()
    give_up_at = time.monotonic() + REAL_SECONDS_MAX
    on: dict[str, Fired] = {}
    while time.monotonic() < give_up_at and len(on) < len(case.alarms):
        town.collector.look()
        for standing in board.standings():
            if standing.name in case.alarms and standing.verdict.state is AlarmState.ALARM:
                taken = standing.since - began
                fired = Fired(standing.name, case, taken, standing.verdict.reason)
                on.setdefault(standing.name, fired)
        if planting.done() and planting.exception() is not None:
            break
        await asyncio.sleep(LOOK_SECONDS)
    told = {one.name: one.verdict.reason for one in board.standings()}
    if planting.done() and (error := planting.exception()) is not None:
        told = dict.fromkeys(case.alarms, f"not planted: {error!r}")
    return [on.get(name) or Fired(name, case, None, told.get(name, "")) for name in case.alarms]


def missing(cases: Sequence[Case], alarms: Sequence[str]) -> list[str]:
    """Alarms that no case is for."""
    covered = {name for case in cases for name in case.alarms}
    return sorted(set(alarms) - covered)
