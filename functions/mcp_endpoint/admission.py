"""Whether a call is let in: enough time left, not too often, not too many of one person at once.

Never lets work begin that cannot end, and never makes one person wait for another.
"""

import asyncio
import math
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from typing import ClassVar, Final

from functions.mcp_endpoint.messages import IncomingMessage
from functions.mcp_endpoint.tools.catalogue import ToolCatalogue
from functions.mcp_endpoint.waiting import ANSWER_MARGIN_SECONDS
from shared.domain.identifiers import CallId, new_id
from shared.domain.rate_limits import LimitName
from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.state.calls import Admission, CallRecord, CallRefusal
from shared.state.database import DatabaseUnavailableError

WORK_SECONDS_MIN: Final = 1.0
"""A call with less time than this for the site is not begun."""
CALL_SECONDS_MAX: Final = 30.0
"""A slot is free after this long whatever became of its call: two requests to the site and a
renewal of its token take less."""
CALLS_IN_FLIGHT_RULE: Final = "calls_in_flight_by_person"
TURN_SECONDS_MAX: Final = 2.0
"""Longest wait for a turn where one process serves many people."""


class CallRateExceededError(ServiceError):
    """This person has called tools of this class too often."""

    code: ClassVar[ErrorCode] = ErrorCode.TOO_MANY_REQUESTS


class CallsInFlightExceededError(ServiceError):
    """This person has as many calls under way as one person may."""

    code: ClassVar[ErrorCode] = ErrorCode.TOO_MANY_CALLS_AT_ONCE


class ServerBusyError(UnavailableError):
    """The work was not begun: there is no room, or not enough time, to end it."""

    code: ClassVar[ErrorCode] = ErrorCode.SERVER_BUSY


def refusal_of(record: CallRecord) -> ServiceError | None:
    """What stands against the call of ``record``, which is sound otherwise."""
    if record.refusal is CallRefusal.IN_FLIGHT:
        return CallsInFlightExceededError()
    if record.refusal is CallRefusal.RATE:
        wait_seconds = math.ceil(record.wait_seconds or 0)
        return CallRateExceededError(retry_after_seconds=max(1, wait_seconds))
    return None


def note_refusal(asked: Admission, refusal: ServiceError) -> None:
    """Count a call that was not let in, by the limit that it reached."""
    rated = refusal.code is ErrorCode.TOO_MANY_REQUESTS
    rule = asked.limit.value if rated else CALLS_IN_FLIGHT_RULE
    metrics.count(metrics.MetricName.RATE_LIMIT_REFUSALS, rule=rule)


def refuse_changes(asked: Admission) -> None:
    """Let only reading pass: the site's own tools may change something there.

    Raises:
        DatabaseUnavailableError: this call may do more.
    """
    if asked.limit is LimitName.SITE_TOOLS_BY_PERSON:
        raise DatabaseUnavailableError({"waited_for": "reads only"})


class Turns:
    """A bound on the calls that one process runs at once; on Lambda it is always one.

    ``calls_max`` run, as many wait for ``TURN_SECONDS_MAX``, and whoever comes then is refused.
    """

    def __init__(self, calls_max: int | None) -> None:
        self._calls_max = calls_max
        self._free = asyncio.Semaphore(calls_max or 1)
        self._waiting = 0

    def take(self) -> AbstractAsyncContextManager[None]:
        """Run the block in a turn.

        Raises:
            ServerBusyError: there was none in time.
        """
        return nullcontext() if self._calls_max is None else self._bounded(self._calls_max)

    @asynccontextmanager
    async def _bounded(self, calls_max: int) -> AsyncIterator[None]:
        if self._free.locked() and self._waiting >= calls_max:
            raise ServerBusyError({"waited_for": "place in the queue"})
        self._waiting += 1
        try:
            async with asyncio.timeout(TURN_SECONDS_MAX):
                await self._free.acquire()
        except TimeoutError:
            raise ServerBusyError({"waited_for": "turn"}) from None
        finally:
            self._waiting -= 1
        try:
            yield
        finally:
            self._free.release()


class AdmissionRules:
    """What a message has to ask for before it may cost anything."""

    def __init__(
        self,
        own: ToolCatalogue,
        *,
        resource: str,
        calls_in_flight_max: int,
        limit_factor: int = 1,
        remaining_seconds: Callable[[], float],
    ) -> None:
        self._own = own
        self._resource = resource
        self._slots = calls_in_flight_max
        self._limit_factor = limit_factor
        self._remaining_seconds = remaining_seconds

    def asked(self, message: IncomingMessage) -> Admission | None:
        """What ``message`` asks to be let in for; None where it costs the site nothing.

        Raises:
            ServerBusyError: too little time is left to answer it.
        """
        limit = self._limit_of(message)
        if limit is None:
            return None
        seconds = self._remaining_seconds()
        if seconds < ANSWER_MARGIN_SECONDS + WORK_SECONDS_MIN:
            raise ServerBusyError({"waited_for": "deadline"})
        return Admission(
            call_id=CallId(new_id()),
            limit=limit,
            resource=self._resource,
            slots=self._slots,
            lasts_seconds=min(seconds, CALL_SECONDS_MAX),
            limit_factor=self._limit_factor,
        )

    def _limit_of(self, message: IncomingMessage) -> LimitName | None:
        if message.method == "resources/read":
            return LimitName.READINGS_BY_PERSON
        name = message.tool_name
        if name is None:
            return None
        own = self._own.find(name)
        return LimitName.SITE_TOOLS_BY_PERSON if own is None else own.limit
