"""The parts of one simulated process: the real ones, with handles for a simulation."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from enum import StrEnum
from uuid import UUID

from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import REFRESH_LEASE_SECONDS
from shared.domain.spilled_pairs import SpilledPair, SpillPage
from shared.errors.base import ServiceError
from shared.state.connection import Connection
from shared.state.database import Database, DatabaseUnavailableError, Transaction, _Deadline
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.upstream.failures import RefreshRejectedError
from shared.vault.kms_data_keys import GeneratedDataKey, KmsDataKeys
from tests.integration.refresh_machine.gates import SimulatedProcess, current_process, shut_down
from tests.support.remembered_pairs import RememberedPairs, RememberedRepeats

PATIENT_SECONDS = 60.0
"""Real ones: a process that stands still for a while is no fault of its database."""


STUMBLES_UNTIL = 3
"""The transaction that is the last one to be refused where a database stumbles."""
SLACK_SECONDS = 1.0
"""Of real time that passes within a simulated moment."""


class SimulatedTime:
    """The clocks that the workflow reads; a process's own runs on when it is stopped."""

    def __init__(self) -> None:
        self.moved_seconds: dict[str, float] = {}

    def monotonic(self) -> float:
        """Of the process under way."""
        process = current_process()
        moved = self.moved_seconds.get(process.name, 0.0) if process else 0.0
        return time.monotonic() + moved

    def perf_counter(self) -> float:
        """For durations that are only told."""
        return time.perf_counter()

    def pass_in(self, name: str, seconds: float) -> None:
        """Let time pass for one process."""
        self.moved_seconds[name] = self.moved_seconds.get(name, 0.0) + seconds


def attempt_of_the_process() -> UUID:
    """A new id, which the process under way is known by from now on."""
    attempt_id = new_id()
    process = current_process()
    if process is not None:
        process.attempt_id = attempt_id
    return attempt_id


class DatabaseTrouble(StrEnum):
    """What a process meets with its database once it has claimed its grant."""

    STUMBLES = "refuses twice"
    STAYS_AWAY = "refuses for longer than anybody waits"
    CUT_AT_COMMIT = "loses the connection when it commits"


class SimulatedDatabase(Database):
    """Connections that die with their process, and some trouble at a chosen time."""

    def __init__(self, conninfo: str, on_refusal: Callable[[], None]) -> None:
        super().__init__(
            conninfo,
            connect_timeout_seconds=PATIENT_SECONDS,
            statement_timeout_seconds=PATIENT_SECONDS,
        )
        self.opened: list[Connection] = []
        self.trouble: DatabaseTrouble | None = None
        self.transactions = 0
        self._on_refusal = on_refusal

    async def _connect(self, deadline: _Deadline, *, begin: bool) -> Connection:
        connection = await super()._connect(deadline, begin=begin)
        self.opened.append(connection)
        process = current_process()
        if process is not None:
            process.at_death(lambda: _cut(connection))
        return connection

    def transaction(
        self, *, timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """As the real one, but for the trouble; the first one, the claim, has none."""
        self.transactions += 1
        whole = super().transaction(timeout_seconds=timeout_seconds)
        return whole if self.transactions == 1 else self._troubled(whole)

    @asynccontextmanager
    async def _troubled(
        self, whole: AbstractAsyncContextManager[Transaction]
    ) -> AsyncIterator[Transaction]:
        if self._refuses():
            self._on_refusal()
            await asyncio.sleep(0)
            raise DatabaseUnavailableError
        async with whole as tx:
            yield tx
            if self.trouble is DatabaseTrouble.CUT_AT_COMMIT:
                self.trouble = None
                _cut(self.opened[-1])

    def _refuses(self) -> bool:
        if self.trouble is DatabaseTrouble.STUMBLES:
            return self.transactions <= STUMBLES_UNTIL
        return self.trouble is DatabaseTrouble.STAYS_AWAY

    def bury(self) -> None:
        """Close what the dead process has left open."""
        for connection in self.opened:
            connection.drop()


def _cut(connection: Connection) -> None:
    if connection.usable:
        shut_down(connection._raw.pgconn.socket)


class RememberingKms(KmsDataKeys):
    """Asks the key service once for each key: what is simulated here is not the vault."""

    _opened: dict[bytes, bytes]

    def __init__(self, key_id: str) -> None:
        super().__init__(key_id, connect_timeout_seconds=1, read_timeout_seconds=5)
        self._opened = {}

    async def generate(self, context: Mapping[str, str]) -> GeneratedDataKey:
        """As the real one."""
        await asyncio.sleep(0)
        return await super().generate(context)

    async def open(
        self, wrapped_key: bytes, *, kms_key_id: str, context: Mapping[str, str]
    ) -> bytes:
        """As the real one, asked once."""
        await asyncio.sleep(0)
        if wrapped_key not in self._opened:
            self._opened[wrapped_key] = await super().open(
                wrapped_key, kms_key_id=kms_key_id, context=context
            )
        return self._opened[wrapped_key]


class SteppedPairs(RememberedPairs):
    """A second store that takes a moment before and after."""

    async def put(self, spilled: SpilledPair) -> None:
        """Keep it."""
        await asyncio.sleep(0)
        await super().put(spilled)
        await asyncio.sleep(0)

    async def get(self, grant_id: GrantId, pair_generation: int) -> SpilledPair | None:
        """What was kept."""
        await asyncio.sleep(0)
        found = await super().get(grant_id, pair_generation)
        await asyncio.sleep(0)
        return found

    async def page(self, **_: object) -> SpillPage:
        """All at once."""
        return SpillPage(pairs=tuple(self.pairs.values()), cursor=None)

    async def forget(self, spilled: SpilledPair) -> None:
        """Take it out."""
        self.pairs.pop((spilled.grant_id, spilled.pair_generation), None)


class SteppedRepeats(RememberedRepeats):
    """A watchdog that takes a moment before and after."""

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """Note it."""
        await asyncio.sleep(0)
        await super().arm(grant_id, pair_generation, delay_seconds=delay_seconds)
        await asyncio.sleep(0)


@dataclass(slots=True, kw_only=True)
class Asked:
    """One refresh that a process asks the site for."""

    worker: SimulatedProcess
    refresh_token: str
    claimed_at: float
    """Simulated Unix time: when its lease began."""
    in_time: bool = True
    """It was asked while its lease lasted."""
    pair: UpstreamPair | None = None
    failure: ServiceError | None = None
    """What it came back with instead of a pair."""

    @property
    def lost(self) -> bool:
        """Whether the site may have answered it with a pair that nobody has."""
        refused = isinstance(self.failure, RefreshRejectedError)
        return self.worker.dead or (self.pair is None and not refused)

    def check_against(self, earlier: Iterable["Asked"], *, now: float) -> None:
        """Nobody asks about a pair while another one's lease on it lasts."""
        self.in_time = now < self.claimed_at + REFRESH_LEASE_SECONDS
        for other in earlier:
            if other.refresh_token != self.refresh_token or not (self.in_time and other.in_time):
                continue
            gave_back = other.failure is not None and not other.worker.dead
            apart = self.claimed_at - other.claimed_at > REFRESH_LEASE_SECONDS - SLACK_SECONDS
            assert gave_back or apart, "two refreshes of one pair within one lease"


class WatchedOAuth(DrupalOAuth):
    """The real client; what it asks and receives is written down."""

    def __init__(
        self,
        site: DrupalSite,
        ask: Callable[[str], Asked],
        received: Callable[[UpstreamPair], None],
    ) -> None:
        super().__init__(site)
        self._ask = ask
        self._received = received

    async def refresh(self, refresh_token: str, *, timeout_seconds: float) -> UpstreamPair:
        """As the real one."""
        asked = self._ask(refresh_token)
        try:
            asked.pair = await super().refresh(refresh_token, timeout_seconds=timeout_seconds)
        except ServiceError as error:
            asked.failure = error
            raise
        self._received(asked.pair)
        return asked.pair
