"""Tries a read once more where that may help. The one layer that does: nothing below repeats."""

import asyncio
import secrets
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from shared.circuit.deadline import Deadline
from shared.circuit.refusals import CircuitOpenError
from shared.circuit.retry_budget import Access, FailedTry, RetryBudget, wait_before_retry
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.metrics import MetricName
from shared.observability.request_context import remaining_seconds

T = TypeVar("T")

PASSING: Final = frozenset({ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_RATE_LIMITED})
"""What may be over a moment later. A timeout has used up the time, and would use it up again."""

_random: Final = secrets.SystemRandom()


class Retries:
    """One dependency's budget in this environment."""

    def __init__(self, *, chance: Callable[[], float] = _random.random) -> None:
        self._chance = chance
        self._budget = RetryBudget()

    async def run(self, attempt: Callable[[], Awaitable[T]], *, access: Access) -> T:
        """What ``attempt`` gives, the second time if the first was bad luck.

        Raises:
            ServiceError: what the last try raised.
        """
        began_at = time.monotonic()
        try:
            result = await attempt()
        except ServiceError as error:
            wait_seconds = self._wait(error, access, took_seconds=time.monotonic() - began_at)
            if wait_seconds is None:
                raise
        else:
            self._budget = self._budget.after_success()
            return result
        self._budget = self._budget.after_retry()
        await asyncio.sleep(wait_seconds)
        return await _counted(attempt)

    def _wait(self, error: ServiceError, access: Access, *, took_seconds: float) -> float | None:
        refused = isinstance(error, CircuitOpenError) or isinstance(
            error.__cause__, CircuitOpenError
        )
        asked = error.asked_wait_seconds
        if refused or error.code not in PASSING:
            return None
        if error.code is ErrorCode.UPSTREAM_RATE_LIMITED and asked is None:
            return None
        if access is Access.READ and not self._budget.allows_retry:
            metrics.count(MetricName.UPSTREAM_RETRIES, outcome="no_budget")
        now = time.monotonic()
        return wait_before_retry(
            FailedTry(
                access=access,
                retries_made=0,
                asked_wait_seconds=asked,
                took_seconds=took_seconds,
            ),
            self._budget,
            deadline=Deadline(now + remaining_seconds()),
            now=now,
            draw=self._chance(),
        )


async def _counted(attempt: Callable[[], Awaitable[T]]) -> T:
    try:
        result = await attempt()
    except ServiceError as error:
        metrics.count(MetricName.UPSTREAM_RETRIES, outcome=error.code.value)
        raise
    metrics.count(MetricName.UPSTREAM_RETRIES, outcome="ok")
    return result
