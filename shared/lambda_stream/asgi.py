"""Runs an ASGI app inside a Lambda handler and streams what it answers.

The same handler answers whole where the runtime does not stream. No task of a request may
outlive its invocation.
"""

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Protocol

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import as_guidance
from shared.lambda_stream import event_loop, invocation
from shared.lambda_stream.answers import Answer, BufferedAnswer, StreamedAnswer
from shared.lambda_stream.http_events import Event, ResponseHead, asgi_scope, request_body
from shared.lambda_stream.lifespan import AsgiApp, Lifespan, LifespanError
from shared.lambda_stream.request_cycle import RequestCycle
from shared.observability import recovery
from shared.observability.debug_answers import debug_of
from shared.observability.logging import log
from shared.observability.request_context import correlation_id

DEADLINE_MARGIN_SECONDS = 2.5
"""Left of the function's time when the app is stopped: more than its own clean-up, that of its
tasks and the last words may take together."""


class LambdaContext(Protocol):
    """What is used of the runtime's context object."""

    aws_request_id: str

    def get_remaining_time_in_millis(self) -> int:
        """Milliseconds until the platform kills the environment."""


class DeadlineExceededError(ServiceError):
    """The app was stopped because the function's own time was running out."""

    code: ClassVar[ErrorCode] = ErrorCode.DEADLINE_EXCEEDED


class StreamingAsgiHandler:
    """A Lambda handler ``(event, context)`` around an ASGI app."""

    def __init__(
        self,
        app: AsgiApp,
        *,
        deadline_margin_seconds: float = DEADLINE_MARGIN_SECONDS,
        event_bytes_min: int = 0,
        lifespan: bool = True,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Wrap ``app``.

        Args:
            app: the ASGI app.
            deadline_margin_seconds: how long before the function's timeout the app is stopped.
            event_bytes_min: server-sent events are filled up to this size, because a platform
                may hold small pieces back; 0 leaves them alone.
            lifespan: whether the app has a lifespan to enter.
            headers: what an answer carries that the app did not make, names in lower case.
        """
        self._app = app
        self._headers = headers
        self._margin_seconds = deadline_margin_seconds
        self._event_bytes_min = event_bytes_min
        self._lifespan = Lifespan(app) if lifespan else None

    def __call__(self, event: Event, context: LambdaContext) -> dict[str, Any]:
        """Answer one request of payload format 2.0.

        Raises:
            DeadlineExceededError: time ran out after the answer had begun.
            LifespanError: the app cannot be started in this environment.
        """
        state = self._enter_lifespan(context)
        scope = asgi_scope(event, context=context, state=dict(state))
        return event_loop.run(self._answer(scope, request_body(event), context))

    def _seconds_left(self, context: LambdaContext) -> float:
        return max(0.0, context.get_remaining_time_in_millis() / 1000 - self._margin_seconds)

    def _enter_lifespan(self, context: LambdaContext) -> Mapping[str, Any]:
        if self._lifespan is None:
            return {}
        try:
            self._lifespan.enter(timeout_seconds=self._seconds_left(context))
        except LifespanError:
            running = invocation.find(context.aws_request_id)
            if running is not None:
                running.environment_is_broken = True
            raise
        return self._lifespan.state

    async def _answer(
        self, scope: dict[str, Any], body: bytes, context: LambdaContext
    ) -> dict[str, Any]:
        running = invocation.find(context.aws_request_id)
        answer: Answer = BufferedAnswer()
        if running is not None:
            answer = StreamedAnswer(running.stream, event_bytes_min=self._event_bytes_min)
        cycle = RequestCycle(self._app, scope, body, answer)
        if not await _in_time(cycle.run, seconds=self._seconds_left(context)):
            await _stop(cycle, answer, headers=self._headers)
        return answer.result()


async def _in_time(run: Callable[[], Coroutine[Any, Any, None]], *, seconds: float) -> bool:
    """Run to the end, or cancel after ``seconds`` and answer False.

    An own task, so that code that ignores its cancellation cannot hold the answer back.
    """
    task = asyncio.create_task(run())
    done, pending = await asyncio.wait({task}, timeout=seconds)
    if pending:
        task.cancel()
        done, _ = await asyncio.wait({task}, timeout=event_loop.CANCEL_SECONDS_MAX)
        if done and not task.cancelled() and task.exception():
            log.warning("a request failed while it was stopped at the deadline")
        return False
    task.result()
    return True


async def _stop(cycle: RequestCycle, answer: Answer, *, headers: Mapping[str, str]) -> None:
    """Say what can still be said about a request that ran out of time."""
    if cycle.complete:
        log.warning("work after the response was stopped at the deadline")
        return
    error = DeadlineExceededError()
    if answer.begun:
        raise error
    log.warning("a request was stopped at the deadline before its answer began")
    recovery.surfaced()
    guidance = {**as_guidance(error, correlation_id=correlation_id()), **debug_of(error)}
    worn = {
        **headers,
        "content-type": "application/json",
        "cache-control": "no-store",
        "retry-after": str(error.retry_after_seconds),
        "x-correlation-id": correlation_id(),
    }
    head = ResponseHead(error.entry.http_status, tuple(worn.items()), ())
    await answer.begin(head, json.dumps(guidance).encode())
    await answer.finish()
