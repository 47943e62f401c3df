"""Transactions over few connections: one per environment on Lambda, some in a container.

Never sets anything on a session, never prepares a statement, and never repeats one that was sent:
only a transaction whose first statement has not run yet moves to another connection.
"""

import asyncio
import contextlib
import secrets
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, LiteralString

from shared.domain.connection_lives import ConnectionLife
from shared.errors.base import UnavailableError
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.state.connection import Answer, Connection
from shared.state.driver_errors import (
    CommitUnknownError,
    DatabaseStatementError,
    DatabaseUnavailableError,
    lost_to_rival,
)
from shared.state.statement_times import StatementTimes, tell_wait

__all__ = [
    "CommitUnknownError",
    "Database",
    "DatabaseStatementError",
    "DatabaseUnavailableError",
    "NestedTransactionError",
    "Transaction",
]

CHECK_SECONDS_MAX: Final = 1.0
"""A connection that rested gets this long for its first sign of life."""

_NO_PARAMS: Final[Mapping[str, object]] = {}
_ORDINARY_LIFE: Final = ConnectionLife()
# Not `random`: environments that wake up from one snapshot would draw the same numbers.
_random: Final = secrets.SystemRandom()

WatchConnect = Callable[[float], AbstractAsyncContextManager[None]]
"""Watches a connect that has so many seconds; raises an ``UnavailableError`` to refuse it."""


def _unwatched(_seconds: float) -> AbstractAsyncContextManager[None]:
    return contextlib.nullcontext()


def _count(operation: str, outcome: str) -> None:
    """A connection found dead after its rest is ``stale``: the connect that follows decides."""
    metrics.count(MetricName.DATABASE_CONNECTIONS, operation=operation, outcome=outcome)


LastWord = Callable[[bool], None]
"""Said when a transaction is over; takes whether it is certain that it was committed."""


class NestedTransactionError(RuntimeError):
    """A task asked for a second connection while holding one: with one in all it would hang."""


class _Deadline:
    """When a transaction must be over, by the monotonic clock; ``None`` for never."""

    def __init__(self, seconds: float | None) -> None:
        self._at = None if seconds is None else time.monotonic() + seconds

    def within(self, seconds: float) -> float:
        """The seconds left, at most ``seconds``."""
        return seconds if self._at is None else min(seconds, self._at - time.monotonic())


class Transaction:
    """What a store runs its statements on."""

    def __init__(
        self,
        connection: Connection,
        *,
        statement_seconds: float,
        deadline: _Deadline,
        times: StatementTimes,
        commits_each: bool = False,
    ) -> None:
        self._times = times
        self._connection = connection
        self._statement_seconds = statement_seconds
        self._deadline = deadline
        self._commits_each = commits_each
        self._words: list[LastWord] = []

    def after_commit(self, word: LastWord) -> None:
        """Call ``word`` when what was done so far is committed, with True; never if it is not.

        With False when nobody knows whether it is. At once where each statement commits itself.
        """
        if self._commits_each:
            word(True)
        else:
            self._words.append(word)

    def ended(self, *, certain: bool) -> None:
        """Let the last words be said."""
        words, self._words = self._words, []
        for word in words:
            word(certain)

    async def rows(
        self, sql: LiteralString, params: Mapping[str, object] = _NO_PARAMS
    ) -> list[dict[str, Any]]:
        """All rows of a statement.

        Raises:
            DatabaseUnavailableError: try the whole transaction again later.
        """
        return (await self._run(sql, params)).rows

    async def row(
        self, sql: LiteralString, params: Mapping[str, object] = _NO_PARAMS
    ) -> dict[str, Any] | None:
        """The one row of a statement that has at most one, or None.

        Raises:
            DatabaseUnavailableError: try the whole transaction again later.
        """
        rows = (await self._run(sql, params)).rows
        if len(rows) > 1:
            raise DatabaseStatementError({"rows": len(rows)})
        return rows[0] if rows else None

    async def execute(self, sql: LiteralString, params: Mapping[str, object] = _NO_PARAMS) -> int:
        """The number of rows that a statement touched or returned.

        Raises:
            DatabaseUnavailableError: try the whole transaction again later.
        """
        return (await self._run(sql, params)).row_count

    async def _run(self, sql: LiteralString, params: Mapping[str, object]) -> Answer:
        try:
            return await self._once(sql, params)
        except DatabaseUnavailableError as error:
            # The server is well and has taken all of it back; the rival is through by now. Of a
            # longer transaction only its caller knows the beginning: it is told to try again.
            if not (self._commits_each and lost_to_rival(error)):
                raise
        return await self._once(sql, params)

    async def _once(self, sql: LiteralString, params: Mapping[str, object]) -> Answer:
        seconds = self._deadline.within(self._statement_seconds)
        with self._times.timed(sql):
            return await self._connection.run(sql, params, seconds=seconds)


class Database:
    """The only way to Postgres.

    Waiting for a free connection and for a statement's answer is bounded by
    ``statement_timeout_seconds``, a connect by ``connect_timeout_seconds``, and a whole
    transaction by its own ``timeout_seconds`` where one is given.
    """

    def __init__(
        self,
        conninfo: str,
        *,
        connections_max: int = 1,
        connect_timeout_seconds: float = 2.0,
        statement_timeout_seconds: float = 3.0,
        statement_times: StatementTimes | None = None,
        connection_life: ConnectionLife = _ORDINARY_LIFE,
        watch_connect: WatchConnect = _unwatched,
    ) -> None:
        self._connection_life = connection_life
        self._conninfo = conninfo
        self._connections_max = connections_max
        self._connect_seconds = connect_timeout_seconds
        self._statement_seconds = statement_timeout_seconds
        self._times = statement_times or StatementTimes()
        self._watch_connect = watch_connect
        self._idle: list[Connection] = []
        self._epoch = 0
        self._keeps = True
        self._loop: asyncio.AbstractEventLoop | None = None
        self._free = asyncio.Semaphore(connections_max)
        self._holders: set[asyncio.Task[Any] | None] = set()

    def transaction(
        self, *, timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """BEGIN to COMMIT; an exception from the block rolls back.

        Raises:
            DatabaseUnavailableError: it has not happened; try again later.
            CommitUnknownError: it may have happened.
        """
        return self._transaction(_Deadline(timeout_seconds))

    def autocommit(
        self, *, timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """Statements that each are their own transaction: no round trip before or after.

        Raises:
            DatabaseUnavailableError: try again later; a statement that was sent may have run.
        """
        return self._autocommit(_Deadline(timeout_seconds))

    async def close(self) -> None:
        """Close every idle connection now, those in use when they come back, and none is kept.

        What is still under way, such as a report of a circuit, may open one for itself.
        """
        self._keeps = False
        self.forget_connections()

    async def drop_connections(self) -> None:
        """Forget every connection: after a restore they belong to another environment."""
        self.forget_connections()

    def forget_connections(self) -> None:
        """As ``drop_connections``, for hooks that run outside the event loop."""
        self._epoch += 1
        while self._idle:
            self._idle.pop().drop()

    @contextlib.asynccontextmanager
    async def _transaction(self, deadline: _Deadline) -> AsyncIterator[Transaction]:
        asked = time.perf_counter()
        async with self._turn(deadline), self._connection(deadline, begin=True) as connection:
            tell_wait(asked)
            tx, committing = self._over(connection, deadline), False
            try:
                yield tx
                committing = True
                await connection.commit(seconds=deadline.within(self._statement_seconds))
            except BaseException:
                await connection.roll_back()
                if committing and not connection.usable:
                    tx.ended(certain=False)
                raise
            tx.ended(certain=True)

    @contextlib.asynccontextmanager
    async def _autocommit(self, deadline: _Deadline) -> AsyncIterator[Transaction]:
        asked = time.perf_counter()
        async with self._turn(deadline), self._connection(deadline, begin=False) as connection:
            tell_wait(asked)
            yield self._over(connection, deadline, commits_each=True)

    def _over(
        self, connection: Connection, deadline: _Deadline, *, commits_each: bool = False
    ) -> Transaction:
        return Transaction(
            connection,
            statement_seconds=self._statement_seconds,
            deadline=deadline,
            times=self._times,
            commits_each=commits_each,
        )

    @contextlib.asynccontextmanager
    async def _turn(self, deadline: _Deadline) -> AsyncIterator[None]:
        """Wait in line for one of the connections."""
        self._adopt_loop()
        task = asyncio.current_task()
        if task in self._holders:
            raise NestedTransactionError
        try:
            async with asyncio.timeout(deadline.within(self._statement_seconds)):
                await self._free.acquire()
        except TimeoutError as error:
            raise DatabaseUnavailableError({"waited_for": "connection"}) from error
        free = self._free
        self._holders.add(task)
        try:
            yield
        finally:
            self._holders.discard(task)
            free.release()

    def _adopt_loop(self) -> None:
        """Start afresh in a new event loop: queue and sockets belong to the old one."""
        loop = asyncio.get_running_loop()
        if self._loop is loop:
            return
        self.forget_connections()
        self._loop = loop
        self._free = asyncio.Semaphore(self._connections_max)
        self._holders = set()

    @contextlib.asynccontextmanager
    async def _connection(self, deadline: _Deadline, *, begin: bool) -> AsyncIterator[Connection]:
        if deadline.within(CHECK_SECONDS_MAX) <= 0:
            # Before a healthy connection is taken for one that gives no sign of life.
            raise DatabaseUnavailableError({"waited_for": "deadline"})
        epoch = self._epoch
        connection = self._rested_connection()
        if connection is None or not await self._lives(connection, deadline, begin=begin):
            connection = await self._connect(deadline, begin=begin)
        try:
            yield connection
        finally:
            self._put_back(connection, epoch)

    async def _lives(self, connection: Connection, deadline: _Deadline, *, begin: bool) -> bool:
        seconds = deadline.within(CHECK_SECONDS_MAX)
        try:
            if begin:
                # Changes nothing, so it serves as the sign of life too.
                await connection.begin(seconds=seconds)
            elif connection.suspect:
                await connection.check(seconds=seconds)
            else:
                return True
        except DatabaseUnavailableError:
            _count("check", "stale")
            connection.drop()
            return False
        _count("check", "ok")
        return True

    async def _connect(self, deadline: _Deadline, *, begin: bool) -> Connection:
        connection = await self._opened(deadline.within(self._connect_seconds))
        if begin:
            try:
                await connection.begin(seconds=deadline.within(self._statement_seconds))
            except BaseException:
                connection.drop()
                raise
        return connection

    async def _opened(self, seconds: float) -> Connection:
        try:
            async with self._watch_connect(seconds):
                life = self._connection_life.drawn(_random.random())
                return await self._counted_open(seconds, life)
        except DatabaseUnavailableError:
            raise
        except UnavailableError as refusal:
            raise DatabaseUnavailableError(
                refusal.facts, retry_after_seconds=refusal.retry_after_seconds
            ) from refusal

    async def _counted_open(self, seconds: float, life: ConnectionLife) -> Connection:
        try:
            opened = await Connection.open(self._conninfo, seconds=seconds, life=life)
        except DatabaseUnavailableError:
            _count("connect", "failed")
            raise
        _count("connect", "ok")
        return opened

    def _rested_connection(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.usable:
                return connection
        return None

    def _put_back(self, connection: Connection, epoch: int) -> None:
        if not connection.usable:
            return
        connection.rested()
        if epoch != self._epoch or connection.worn_out or not self._keeps:
            connection.drop()
            return
        self._idle.append(connection)
