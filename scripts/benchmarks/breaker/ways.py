"""The ways to protect calls that are compared: each runs a request, or refuses to.

Only ours is the shipped code; the others are as their makers or textbooks have them.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from enum import StrEnum
from typing import Any, Final, Protocol

from aws_lambda_powertools.utilities.circuit_breaker import (
    CircuitBreakerOpenError,
    circuit_breaker,
)
from aws_lambda_powertools.utilities.circuit_breaker.persistence import (
    CircuitBreakerDynamoDBPersistence,
)

from shared.circuit.refusals import CircuitOpenError
from shared.errors.base import ServiceError

Request = Callable[[], Awaitable[None]]
POWERTOOLS_TABLE: Final = "circuits"
CONSECUTIVE_FAILURES: Final = 5
CONSECUTIVE_OPEN_SECONDS: Final = 30.0


class WayName(StrEnum):
    """What is compared."""

    NONE = "no breaker"
    CONSECUTIVE = "five in a row, each alone"
    POWERTOOLS_ASYNC = "Powertools, async function"
    POWERTOOLS = "Powertools, in threads"
    OURS = "ours"


class RefusedError(Exception):
    """The request was not made."""


class Way(Protocol):
    """Runs a request under protection."""

    async def run(self, request: Request, caller: int) -> None:
        """Run it.

        Raises:
            RefusedError: it was not made.
            ServiceError: it failed.
        """
        ...


class Bare:
    """No protection; ours has it inside of the adapter, and refuses there."""

    async def run(self, request: Request, caller: int) -> None:  # noqa: ARG002 - as all ways
        """Run it."""
        try:
            await request()
        except ServiceError as error:
            if isinstance(error.__cause__, CircuitOpenError):
                raise RefusedError from error
            raise


class Consecutive:
    """Opens after failures in a row; half-open lets one call of this process out."""

    def __init__(self) -> None:
        self._failures = 0
        self._open_until = 0.0
        self._trying = False

    async def run(self, request: Request, caller: int) -> None:  # noqa: ARG002 - as all ways
        """Run it."""
        half_open = self._failures >= CONSECUTIVE_FAILURES
        if half_open and (self._trying or time.monotonic() < self._open_until):
            raise RefusedError
        self._trying = half_open
        try:
            await request()
        except ServiceError:
            self._failures += 1
            self._open_until = time.monotonic() + CONSECUTIVE_OPEN_SECONDS
            raise
        else:
            self._failures = 0
        finally:
            if half_open:
                self._trying = False


class PowertoolsAsync:
    """Its decorator on an asynchronous function, as anybody would write it."""

    def __init__(self) -> None:
        store = CircuitBreakerDynamoDBPersistence(table_name=POWERTOOLS_TABLE)
        self._protected = circuit_breaker(name="async", persistence_store=store)(_awaited)

    async def run(self, request: Request, caller: int) -> None:  # noqa: ARG002 - as all ways
        """Run it."""
        try:
            await self._protected(request)
        except CircuitBreakerOpenError as error:
            raise RefusedError from error


async def _awaited(request: Request) -> None:
    await request()


class PowertoolsInThreads:
    """Its decorator on a plain function, each caller in a thread that stays its own."""

    def __init__(self, callers: int) -> None:
        store = CircuitBreakerDynamoDBPersistence(table_name=POWERTOOLS_TABLE)
        self._threads = [ThreadPoolExecutor(max_workers=1) for _ in range(callers)]
        self._loop = asyncio.get_running_loop()
        self._protected: Callable[[Request], Any] = circuit_breaker(
            name="threads", persistence_store=store
        )(self._wait_for)

    def _wait_for(self, request: Request) -> None:
        asyncio.run_coroutine_threadsafe(_awaited(request), self._loop).result()

    async def run(self, request: Request, caller: int) -> None:
        """Run it."""
        thread = self._threads[caller % len(self._threads)]
        try:
            await self._loop.run_in_executor(thread, self._protected, request)
        except CircuitBreakerOpenError as error:
            raise RefusedError from error

    def close(self) -> None:
        """Let the threads end."""
        for thread in self._threads:
            thread.shutdown(wait=False, cancel_futures=True)


@asynccontextmanager
async def opened_way(name: WayName, *, callers: int) -> AsyncIterator[Way]:
    """One process's protection."""
    if name is WayName.POWERTOOLS:
        threads = PowertoolsInThreads(callers)
        try:
            yield threads
        finally:
            threads.close()
        return
    makers: dict[WayName, Callable[[], Way]] = {
        WayName.CONSECUTIVE: Consecutive,
        WayName.POWERTOOLS_ASYNC: PowertoolsAsync,
    }
    yield makers.get(name, Bare)()
