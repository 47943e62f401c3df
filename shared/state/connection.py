"""One connection to Postgres with bounds on every wait.

Never waits for a dead link: the socket is closed first, then the waiting task is cancelled; the
other order lets the driver ask the server to cancel, for up to ten seconds.
"""

import asyncio
import select
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, LiteralString, Self

from psycopg import AsyncConnection
from psycopg.pq import ConnStatus, TransactionStatus
from psycopg.rows import dict_row

from shared.domain.connection_lives import ConnectionLife
from shared.errors.base import ServiceError
from shared.observability import recovery
from shared.state.driver_errors import (
    CommitUnknownError,
    DatabaseStatementError,
    DatabaseUnavailableError,
    driver_errors,
    is_demoted,
)

CHECK_AFTER_IDLE_SECONDS: Final = 30.0
DEPENDENCY: Final = "postgres"
ROLLBACK_SECONDS_MAX: Final = 1.0

_OPEN_TRANSACTION: Final = {TransactionStatus.INTRANS, TransactionStatus.INERROR}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a statement gave back; ``status`` is Postgres' command tag."""

    rows: list[dict[str, Any]]
    row_count: int
    status: str | None


def _seconds_since(moment: tuple[float, float]) -> float:
    """By the clock that has gone on further: a frozen environment's monotonic one may stand."""
    monotonic, wall = moment
    return max(time.monotonic() - monotonic, time.time() - wall)


class Connection:
    """A connection in autocommit mode; transactions are begun and ended by statements."""

    def __init__(self, raw: AsyncConnection[dict[str, Any]], *, life: ConnectionLife) -> None:
        self._raw = raw
        self._life = life
        self._uses = 0
        self._opened_at = self._rested_at = (time.monotonic(), time.time())

    @classmethod
    async def open(cls, conninfo: str, *, seconds: float, life: ConnectionLife) -> Self:
        """Connect within ``seconds``; it is to be used for the length of its ``life``.

        Raises:
            DatabaseUnavailableError: no connection in time.
        """
        with recovery.watched(DEPENDENCY):
            return cls(await cls._opened(conninfo, seconds=seconds), life=life)

    @staticmethod
    async def _opened(conninfo: str, *, seconds: float) -> AsyncConnection[dict[str, Any]]:
        try:
            with driver_errors():
                async with asyncio.timeout(seconds):
                    return await AsyncConnection[dict[str, Any]].connect(
                        conninfo,
                        autocommit=True,
                        # A pooler may hand the next statement to a server that has not
                        # prepared it.
                        prepare_threshold=None,
                        row_factory=dict_row,
                    )
        except TimeoutError as error:
            raise DatabaseUnavailableError({"waited_for": "connect"}) from error

    @property
    def usable(self) -> bool:
        """Whether the connection was not found broken so far."""
        return self._raw.pgconn.status == ConnStatus.OK

    @property
    def suspect(self) -> bool:
        """Whether to ask for a sign of life before a statement that must not be repeated.

        After a long rest, by the wall clock too: a frozen environment's monotonic clock may have
        stood still. And when the server has said or closed something that nobody asked for.
        """
        idle_seconds = _seconds_since(self._rested_at)
        return idle_seconds > CHECK_AFTER_IDLE_SECONDS or self._has_unasked_data()

    @property
    def worn_out(self) -> bool:
        """Whether another connection should take its place, by age or by use."""
        return self._life.is_over(age_seconds=_seconds_since(self._opened_at), uses=self._uses)

    def rested(self) -> None:
        """Note that the connection goes idle now, after one more use."""
        self._uses += 1
        self._rested_at = (time.monotonic(), time.time())

    def drop(self) -> None:
        """Close the socket at once, without waiting for anybody."""
        self._raw.pgconn.finish()

    async def check(self, *, seconds: float) -> None:
        """Ask the server for a sign of life.

        Raises:
            DatabaseUnavailableError: there was none.
        """
        await self.run("SELECT 1", None, seconds=seconds)

    async def begin(self, *, seconds: float) -> None:
        """Begin a transaction.

        Raises:
            DatabaseUnavailableError: it did not begin.
        """
        await self.run("BEGIN", None, seconds=seconds)

    async def commit(self, *, seconds: float) -> None:
        """Commit the transaction.

        Raises:
            CommitUnknownError: the connection was lost before the answer.
            DatabaseUnavailableError: it was not committed.
            DatabaseStatementError: it was not committed, and would not be another time.
        """
        try:
            answer = await self.run("COMMIT", None, seconds=seconds)
        except DatabaseUnavailableError as error:
            if self.usable:
                raise
            raise CommitUnknownError(error.facts) from error
        if answer.status != "COMMIT":
            # Somebody swallowed a failed statement's error: Postgres has rolled back.
            raise DatabaseStatementError({"commit_status": answer.status})

    async def roll_back(self) -> None:
        """Leave no transaction behind, or no connection."""
        if not self.usable or self._raw.pgconn.transaction_status not in _OPEN_TRANSACTION:
            return
        try:
            await self.run("ROLLBACK", None, seconds=ROLLBACK_SECONDS_MAX)
        except ServiceError:
            self.drop()

    async def run(
        self, sql: LiteralString, params: Mapping[str, object] | None, *, seconds: float
    ) -> Answer:
        """Run a statement within ``seconds``.

        Raises:
            DatabaseUnavailableError: refused for now, or no answer in time; in the latter case
                the connection is gone.
            DatabaseStatementError: refused for good.
        """
        if seconds <= 0:
            raise DatabaseUnavailableError({"waited_for": "deadline"})
        try:
            with recovery.watched(DEPENDENCY), driver_errors():
                return await self._bounded(self._run(sql, params), seconds=seconds)
        except DatabaseUnavailableError as error:
            if is_demoted(error):
                # The writer is another server now: the next connection finds it.
                self.drop()
            raise

    def _has_unasked_data(self) -> bool:
        poll = select.poll()
        poll.register(self._raw.pgconn.socket, select.POLLIN)
        return bool(poll.poll(0))

    async def _run(self, sql: LiteralString, params: Mapping[str, object] | None) -> Answer:
        async with self._raw.cursor() as cursor:
            await cursor.execute(sql, params)
            rows = await cursor.fetchall() if cursor.description else []
            return Answer(rows, cursor.rowcount, cursor.statusmessage)

    async def _bounded(self, work: Coroutine[Any, Any, Answer], *, seconds: float) -> Answer:
        task = asyncio.create_task(work)
        try:
            await asyncio.wait({task}, timeout=seconds)
        except asyncio.CancelledError:
            await self._strike(task)
            raise
        if task.done():
            return task.result()
        await self._strike(task)
        raise DatabaseUnavailableError({"waited_for": "statement"})

    async def _strike(self, task: asyncio.Task[Answer]) -> None:
        self.drop()
        task.cancel()
        await asyncio.wait({task})
        if not task.cancelled():
            # Read, or asyncio reports it as never retrieved; the caller has its own error.
            task.exception()
