"""A crowd lives through crashes, a failing site and restarts of Postgres: who is signed out?

Processes are really killed, connections really break; only time runs faster.
"""

import itertools
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from scripts.benchmarks.refresh import crowd_worker
from scripts.benchmarks.refresh.children import Child
from scripts.benchmarks.refresh.crowd_worker import Crowd
from scripts.benchmarks.refresh.kennel import Kennel
from scripts.benchmarks.refresh.naive import Way
from scripts.benchmarks.refresh.nets import Nets
from scripts.benchmarks.refresh.site_process import SiteOptions
from scripts.benchmarks.refresh.steps import WINDOW, Step
from scripts.benchmarks.refresh.world import Town, World, time_from_now
from shared.domain.refresh_times import SITE_REPLAY_SECONDS

LIFE_SECONDS: Final = 60
"""Of an access token, so that everybody is refreshed about once a minute."""
RESTARTS: Final = 2
_WATCH_SECONDS: Final = 0.02
_VERDICT_SECONDS_MAX: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How large the crowd is, how long it lives, and how much goes wrong."""

    people: int
    workers: int
    seconds: float
    """Of the crowd's own time."""
    speed: float
    crash_share: float = 0.02
    failing_share: float = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One way to refresh, on one kind of site."""

    way: Way
    buffer: bool
    """Whether the site gives a lost answer again."""
    crash_steps: frozenset[Step]
    crashes: str


CASES: Final = (
    Case(way=Way.OURS, buffer=True, crash_steps=frozenset(Step), crashes="anywhere"),
    Case(
        way=Way.OURS,
        buffer=False,
        crash_steps=frozenset(Step) - WINDOW,
        crashes="outside the window",
    ),
    Case(way=Way.NAIVE, buffer=True, crash_steps=frozenset(Step), crashes="anywhere"),
    Case(
        way=Way.NAIVE,
        buffer=False,
        crash_steps=frozenset(Step) - WINDOW,
        crashes="outside the window",
    ),
)


@dataclass(frozen=True, kw_only=True)
class Survival:
    """What became of one crowd."""

    way: Way
    buffer: bool
    crashes_at: str
    people: int
    refreshes: int
    """Refreshes the site was asked for."""
    kills: dict[str, int]
    """Killed processes by the step they were at."""
    lost: dict[str, int]
    """People whom the site no longer knows at the end, by cause."""

    @property
    def signed_out(self) -> int:
        """How many have to sign in again."""
        return sum(self.lost.values())


def measure(world: World, case: Case, effort: Effort) -> Survival:
    """Let a crowd live through it."""
    fast = time_from_now(effort.speed)
    options = SiteOptions(
        time=fast,
        people=effort.people,
        access_token_seconds=LIFE_SECONDS,
        refresh_replay_seconds=SITE_REPLAY_SECONDS if case.buffer else 0,
        failing_share=effort.failing_share,
    )
    kennel = Kennel(world.folder, workers=effort.workers, fast=fast)
    kennel.start()
    nets = (
        Nets()
        if case.way is Way.NAIVE
        else Nets(kennel=kennel.address, spill_table=world.spill_table)
    )
    try:
        with world.town(options, nets) as town:
            crowd = Crowd(
                around=town.around,
                nets=nets,
                folder=world.folder,
                grant_ids=town.grant_ids,
                way=case.way,
                crash_share=effort.crash_share,
                crash_steps=case.crash_steps,
            )
            town.site.ask("fail", True)
            kills = _live(world, town, crowd, effort)
            town.site.ask("fail", False)
            refreshes = town.site.ask("refreshes")
            verdict = town.own.ask("verdict", list(town.grant_ids), case.way, _VERDICT_SECONDS_MAX)
    finally:
        kennel.close()
        kennel.address.unlink()
    return Survival(
        way=case.way,
        buffer=case.buffer,
        crashes_at=case.crashes,
        people=effort.people,
        refreshes=refreshes,
        kills=dict(sorted(kills.items())),
        lost=dict(Counter(verdict.values())),
    )


def _live(world: World, town: Town, crowd: Crowd, effort: Effort) -> Counter[str]:
    """Keep all workers going for the whole time, with a new one for every one killed."""
    kills: Counter[str] = Counter()
    real_seconds = effort.seconds / effort.speed
    with _fleet(crowd, effort.workers, town) as fleet:
        began = time.monotonic()
        restarts = [began + real_seconds * part / (RESTARTS + 1) for part in range(1, RESTARTS + 1)]
        while time.monotonic() < began + real_seconds:
            if restarts and time.monotonic() >= restarts[0]:
                restarts.pop(0)
                world.postgres.restart()
            kills.update(fleet.replace_the_dead())
            time.sleep(_WATCH_SECONDS)
    return kills


class _Fleet:
    def __init__(self, crowd: Crowd, size: int, town: Town) -> None:
        self._crowd = crowd
        self._town = town
        self._seeds = itertools.count(1)
        self._workers = [self._new(number) for number in range(size)]

    def replace_the_dead(self) -> list[str]:
        """Start a new worker for every one that has ended; the steps at which they were killed."""
        found = []
        for number, worker in enumerate(self._workers):
            if worker.has_ended:
                found.append(_last_words(worker))
                worker.close()
                self._workers[number] = self._new(number)
        return found

    def close(self) -> None:
        """End all."""
        for worker in self._workers:
            worker.close()

    def _new(self, number: int) -> Child:
        return Child(
            crowd_worker.work, self._crowd, number, next(self._seeds), log_file=self._town.log_file
        )


def _last_words(worker: Child) -> str:
    try:
        step: Step = worker.pipe.recv()
    except EOFError:
        return "by itself"
    return step.value


@contextmanager
def _fleet(crowd: Crowd, size: int, town: Town) -> Iterator[_Fleet]:
    fleet = _Fleet(crowd, size, town)
    try:
        yield fleet
    finally:
        fleet.close()
