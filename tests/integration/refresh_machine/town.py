"""A town of simulated processes around one real database and one fake site, with movable clocks."""

import asyncio
import contextlib
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import psycopg
import pytest

from shared.domain.grants import Grant, UpstreamPair
from shared.domain.refresh_times import REFRESH_LEASE_SECONDS
from shared.domain.sessions import EndCause
from shared.errors.base import ServiceError
from shared.observability.request_context import begin_request
from shared.state.data_keys import StoredDataKeys
from shared.state.database import DatabaseUnavailableError
from shared.vault.token_vault import TokenVault
from shared.workflows import keep_pair, refresh_grant
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.safety_nets import SafetyNets
from tests.integration.refresh_machine.gates import SimulatedProcess, SteppedLoop
from tests.integration.refresh_machine.parts import (
    Asked,
    RememberingKms,
    SimulatedDatabase,
    SimulatedTime,
    SteppedPairs,
    SteppedRepeats,
    WatchedOAuth,
    attempt_of_the_process,
)
from tests.support.clock import DatabaseClock
from tests.support.postgres import clean
from tests.support.upstream_world import SignedIn, UpstreamWorld, running_world

LOOK_SECONDS = 0.003
"""After so long it is looked whether a process waits for another one; it may still be at work."""
LOOK_SECONDS_MAX = 0.05
LOOKS_MAX = 1_000
TO_THE_END = 10_000
"""More steps than any refresh has."""
DISCONNECT_SECONDS = 0.5
REFUSED_CONNECT_SECONDS = 2.0
"""What a connect to a database that is away takes of its process's time."""


@dataclass(slots=True, kw_only=True)
class Worker:
    """A process that refreshes one grant."""

    process: SimulatedProcess
    database: SimulatedDatabase
    who: int

    @property
    def running(self) -> bool:
        """Whether it has neither ended nor been killed."""
        return not (self.process.finished or self.process.dead)


@dataclass(slots=True, kw_only=True)
class Town:
    """Everything outside of the processes, and the processes."""

    loop: SteppedLoop
    world: UpstreamWorld
    admin: psycopg.Connection[Any]
    clock: DatabaseClock
    time: SimulatedTime
    kms: RememberingKms
    moved_seconds: float = 0.0
    spill: SteppedPairs = field(default_factory=SteppedPairs)
    repeats: SteppedRepeats = field(default_factory=SteppedRepeats)
    people: list[SignedIn] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    asks: list[Asked] = field(default_factory=list)
    tokens: set[str] = field(default_factory=set)
    """Every token of the site's that one of ours has ever seen."""
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    # one story
    async def open(self, names: tuple[str, ...], *, buffer: bool) -> None:
        """Sign people in, at a site with or without the buffer for refresh tokens."""
        self.world.drupal.control.set(refresh_replay_seconds=60 if buffer else 0)
        for name in names:
            pair = self.world.issue(name)
            self._saw(pair)
            self.people.append(await self.world.sign_in(name, pair))

    async def close(self) -> None:
        """Forget the story: processes, rows, clocks, switches."""
        for worker in self.workers:
            worker.process.bury()
        await asyncio.sleep(0)
        for worker in self.workers:
            worker.database.bury()
        self.world.drupal.control.reset()
        self.clock.restore()
        clean(self.admin)
        self.world.own.database.forget_connections()
        self.world.own.vault.forget_keys()
        self.spill.pairs.clear()
        self.repeats.armed.clear()
        for kept in (self.people, self.workers, self.asks):
            kept.clear()
        self.tokens.clear()
        self.moved_seconds = 0.0

    # processes
    async def begin(self, who: int, generation: int | None = None) -> Worker:
        """A new process that is about to refresh somebody's pair."""
        if generation is None:
            generation = (await self.world.grant(self.people[who])).pair_generation
        process = SimulatedProcess(f"process-{next(self._numbers):04}")
        database = SimulatedDatabase(
            self.world.database_url,
            on_refusal=lambda: self.time.pass_in(process.name, REFUSED_CONNECT_SECONDS),
        )
        worker = Worker(process=process, database=database, who=who)
        self.workers.append(worker)
        process.start(self._refresh(worker, generation))
        return worker

    async def go_on(self, worker: Worker, steps: int = TO_THE_END) -> None:
        """Let it do so many steps; less if it ends, or waits for another one or for the site."""
        process = worker.process
        process.permit(steps)
        for look in range(LOOKS_MAX):
            seconds = min(LOOK_SECONDS * 2 ** min(look, 10), LOOK_SECONDS_MAX)
            if await process.stands(within_seconds=seconds) or self._is_held_up(worker):
                break
        else:
            pytest.fail(f"{process.name} neither goes on nor waits")
        process.forbid()
        if process.finished:
            _raise_what_no_caller_may_see(process.outcome())

    async def kill(self, worker: Worker) -> None:
        """End it as SIGKILL does, and wait until the database has noticed."""
        worker.process.kill()
        pids = [one._raw.pgconn.backend_pid for one in worker.database.opened if one.usable]
        for _ in range(LOOKS_MAX):
            left = self.admin.execute(
                "SELECT 1 FROM pg_stat_activity"
                " WHERE pid = ANY(%s) AND pg_blocking_pids(pid) = '{}'",
                [pids],
            ).fetchall()
            if not left:
                return
            await asyncio.sleep(LOOK_SECONDS)
        pytest.fail("a dead process still has connections")

    def running(self) -> list[Worker]:
        """Those that can go on."""
        return [one for one in self.workers if one.running]

    def pass_time(self, seconds: float, *, frozen: bool = False) -> None:
        """Let time pass for the site and the database; for processes, too, unless frozen."""
        self.moved_seconds += seconds
        self.clock.advance(seconds)
        self.world.drupal.control.advance(seconds)
        if not frozen:
            for worker in self.running():
                self.time.pass_in(worker.process.name, seconds)

    async def let_requests_go(self) -> None:
        """Have the site work on what it holds."""
        self.world.drupal.control.clear_faults()
        for _ in range(LOOKS_MAX):
            if not any(one.milliseconds is None for one in self._requests()):
                return
            await asyncio.sleep(0)
        pytest.fail("the site does not answer")

    async def disconnect(self, who: int) -> None:
        """What a person does who has had enough; in vain while a process holds the row."""
        grant_id, database = self.people[who].grant_id, self.world.own.database
        with contextlib.suppress(DatabaseUnavailableError):
            async with database.transaction(timeout_seconds=DISCONNECT_SECONDS) as tx:
                await end_grant(tx, grant_id=grant_id, cause=EndCause.DISCONNECTED_BY_PERSON)

    # what is known
    def now(self) -> float:
        """Simulated Unix time."""
        return time.time() + self.moved_seconds

    async def grant(self, who: int) -> Grant:
        """As stored."""
        return await self.world.grant(self.people[who])

    def honours(self, refresh_token: str | None, *, replays: bool = True) -> bool:
        """Whether the site would give a pair for it; as an answer given again if ``replays``."""
        assert refresh_token is not None
        site = self.world.drupal.site
        row = site.store.refresh_tokens.get(site.keys.open("refresh_token", refresh_token))
        if row is None or row.expires_at <= site.clock.now():
            return False
        return not row.revoked or (replays and row.replay_until > site.clock.now())

    def _requests(self) -> list[Any]:
        return self.world.drupal.control.requests("token")

    def _is_held_up(self, worker: Worker) -> bool:
        name = worker.process.name
        held = any(
            one.correlation_id == name and one.fault == "hold" and one.milliseconds is None
            for one in self._requests()
        )
        return held or self._is_locked_out(worker)

    def _is_locked_out(self, worker: Worker) -> bool:
        pids = [one._raw.pgconn.backend_pid for one in worker.database.opened if one.usable]
        found = self.admin.execute(
            "SELECT 1 FROM unnest(%s::int[]) pid WHERE pg_blocking_pids(pid) <> '{}'", [pids]
        )
        return found.fetchone() is not None

    # the inside of a process
    async def _refresh(self, worker: Worker, generation: int) -> RefreshOutcome:
        vault = TokenVault(
            stage="local", kms=self.kms, keys=StoredDataKeys(worker.database), cache_seconds=300
        )
        refresher = GrantRefresher(
            worker.database,
            vault,
            WatchedOAuth(self.world.site, lambda token: self._asks(worker, token), self._saw),
            nets=SafetyNets(spill=self.spill, watchdog=self.repeats),
        )
        with begin_request(function="machine", correlation_id=worker.process.name):
            return await refresher.refresh(self.people[worker.who].grant_id, generation)

    def _asks(self, worker: Worker, refresh_token: str) -> Asked:
        asked = Asked(
            worker=worker.process, refresh_token=refresh_token, claimed_at=self._claimed_at(worker)
        )
        asked.check_against(self.asks, now=self.now())
        self.asks.append(asked)
        return asked

    def _claimed_at(self, worker: Worker) -> float:
        """When its lease began; as long ago as can be if another one has the lease by now."""
        grant_id, attempt_id = self.people[worker.who].grant_id, worker.process.attempt_id
        row = self.admin.execute(
            "SELECT lease_owner = attempt_id, extract(epoch FROM lease_until)::float"
            " FROM app.grants JOIN app.refresh_attempts USING (grant_id)"
            " WHERE grant_id = %s AND attempt_id = %s",
            [grant_id, attempt_id],
        ).fetchone()
        assert row is not None, "the site is asked although nothing was written down before"
        return float(row[1]) - REFRESH_LEASE_SECONDS if row[0] else 0.0

    def _saw(self, pair: UpstreamPair) -> None:
        self.tokens |= {pair.access_token, pair.refresh_token or pair.access_token}


def _raise_what_no_caller_may_see(outcome: Any) -> None:
    """A promise that was broken inside of a process, or a fault of ours."""
    if isinstance(outcome, Exception) and not isinstance(outcome, ServiceError):
        raise outcome


@contextlib.contextmanager
def running_town(
    database_url: str, admin: psycopg.Connection[Any], kms_key_id: str, *, dialect: int
) -> Iterator[Town]:
    """A town without a story."""
    simulated = SimulatedTime()
    loop = SteppedLoop()
    with pytest.MonkeyPatch.context() as patched:
        for module in (refresh_grant, keep_pair):
            patched.setattr(module, "time", simulated)
        patched.setattr(refresh_grant, "new_id", attempt_of_the_process)
        patched.setattr(keep_pair, "STORE_RETRY_SECONDS", 0.0)
        patched.setattr(keep_pair, "STORE_ACKNOWLEDGED_SECONDS", 60.0)
        opened = running_world(database_url, kms_key_id, dialect=dialect)
        world = loop.run_until_complete(opened.__aenter__())
        try:
            yield Town(
                loop=loop,
                world=world,
                admin=admin,
                clock=DatabaseClock(admin),
                time=simulated,
                kms=RememberingKms(kms_key_id),
            )
        finally:
            loop.run_until_complete(opened.__aexit__(None, None, None))
            loop.close()
