"""What every handler wears: request context, a line in and a line out, metrics, crash reports.

Works for plain synchronous ``(event, context)`` handlers whose body may run an event loop. It must
never let an exception's text out: the platform would print it beside our redacted lines.
"""

import math
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from shared.observability import (
    circuit_states,
    crash_reports,
    debug_answers,
    logging,
    memory_pressure,
    metrics,
    recovery,
    request_context,
    retirement,
    tracing,
)
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.observability.request_context import RequestContext
from shared.observability.trace_context import TraceContext

Handler = Callable[[Any, Any], Any]
TraceOf = Callable[[Any], TraceContext | None]
"""Finds the trace that an event continues, where no header tells it."""


class _Secret(Protocol):
    def get_secret_value(self) -> str: ...


class InstrumentSettings(tracing.TraceSettings, Protocol):
    """The settings that ``instrument`` needs; every function's settings have them."""

    @property
    def log_level(self) -> str:
        """Least level of our own lines."""

    @property
    def log_debug_sample_rate(self) -> float:
        """Share of invocations that are logged at DEBUG, 0 to 1."""

    @property
    def sentry_dsn(self) -> _Secret | None:
        """Where crash reports go; None: nowhere."""

    @property
    def sentry_traces_sample_rate(self) -> float:
        """Share of invocations reported with their times, 0 to 1."""

    @property
    def aws_lambda_function_memory_size(self) -> int | None:
        """What the platform gives this process, in MB."""

    @property
    def memory_share_max(self) -> float:
        """Share of it that may be held after an answer."""

    @property
    def debug_answers(self) -> bool:
        """Whether answers tell what an error was caused by."""


class InvocationError(Exception):
    """The invocation failed; the log line of its correlation id says why."""


def _told_by_headers_only(_event: Any) -> TraceContext | None:
    return None


class _Process:
    function = "unconfigured"
    cold = True
    trace_of: TraceOf = staticmethod(_told_by_headers_only)


def instrument(
    service: str, settings: InstrumentSettings, *, trace_of: TraceOf = _told_by_headers_only
) -> Callable[[Handler], Handler]:
    """Start observability for this process; the decorator for its handler.

    Raises:
        TracingUnavailableError: the provider of traces is not in this artifact.
    """
    start(service, settings)
    _Process.trace_of = staticmethod(trace_of)
    return observed_handler


def start(service: str, settings: InstrumentSettings) -> None:
    """Start observability for this process, which serves requests under ``recorded``.

    Raises:
        TracingUnavailableError: the provider of traces is not in this artifact.
    """
    stage = str(settings.stage)
    logging.configure(
        service=service,
        level=settings.log_level,
        stage=stage,
        release=settings.release,
        debug_sample_rate=settings.log_debug_sample_rate,
    )
    metrics.configure(service=service, stage=stage)
    tracing.configure(settings, service=service)
    debug_answers.configure(enabled=settings.debug_answers)
    memory_pressure.configure(
        memory_mb=settings.aws_lambda_function_memory_size, share_max=settings.memory_share_max
    )
    retirement.watch_for_the_end()
    report_crashes(settings)
    _Process.function = service


def report_crashes(settings: InstrumentSettings) -> None:
    """Start crash reports; again once stored settings are resolved, if the DSN is one of them."""
    crash_reports.start(
        dsn=settings.sentry_dsn.get_secret_value() if settings.sentry_dsn else None,
        stage=str(settings.stage),
        release=settings.release,
        sample_rate=settings.sentry_traces_sample_rate,
    )


def observed_handler(handler: Handler) -> Handler:
    """Wrap a handler of a process that ``instrument`` has started.

    Raises (when called):
        InvocationError: the handler raised; details are in the log and in the crash report.
    """

    def work(event: Any, context: Any) -> Any:
        try:
            return _run(handler, event, context)
        finally:
            settle(background=_is_background(event))
            crash_reports.flush()

    work.__name__ = _Process.function
    sink = tracing.sink()
    traced = work if sink is None else sink.around(work)

    def observed(event: Any, context: Any) -> Any:
        logging.draw_level()
        with _begin(event, context):
            return traced(event, context)

    observed.__name__ = _Process.function
    return observed


def _begin(event: Any, context: Any) -> AbstractContextManager[RequestContext]:
    cold, _Process.cold = _Process.cold, False
    headers = event.get("headers") if isinstance(event, Mapping) else None
    headers = headers if isinstance(headers, Mapping) else {}
    remaining = getattr(context, "get_remaining_time_in_millis", None)
    return request_context.begin_request(
        function=_Process.function,
        correlation_id=request_context.correlation_id_from(headers),
        trace=request_context.trace_from(headers) or _Process.trace_of(event),
        remaining_seconds=math.inf if remaining is None else remaining() / 1000,
        cold_start=cold,
    )


def _run(handler: Handler, event: Any, context: Any) -> Any:
    facts = {"lambda_request_id": getattr(context, "aws_request_id", None), **_described(event)}
    with recorded(**facts):
        answer = handler(event, context)
        if isinstance(answer, Mapping) and isinstance(answer.get("statusCode"), int):
            request_context.note(status=answer["statusCode"])
    return answer


@contextmanager
def recorded(**facts: object) -> Iterator[None]:
    """A line at the begin and one at the end of the request under way, its metrics, its crash.

    Raises:
        InvocationError: the block raised; details are in the log and in the crash report.
    """
    request = request_context.required()
    started = time.perf_counter()
    failed = False
    metrics.count(MetricName.INVOCATIONS)
    if request.cold_start:
        metrics.count(MetricName.COLD_STARTS)
    log.info(
        "invocation started",
        cold_start=request.cold_start,
        trace_id=request.trace.trace_id,
        **facts,
    )
    try:
        with crash_reports.timed(request.function):
            yield
    except Exception as error:  # noqa: BLE001 - the last one that can keep its text inside
        failed = True
        recovery.surfaced()
        _crashed(error)
        raise InvocationError(f"correlation id {request.correlation_id}") from None
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        metrics.duration(MetricName.INVOCATION_DURATION, milliseconds)
        memory_pressure.count_use(milliseconds)
        log.info(
            "invocation ended",
            **{**request.notes, "failed": failed},
            duration_milliseconds=round(milliseconds, 3),
        )


def settle(*, background: bool) -> None:
    """What follows an answer: faults that nothing recovered, memory, metrics."""
    recovery.settle(background=background)
    circuit_states.measure()
    memory_pressure.relieve()
    metrics.flush()


def _crashed(error: Exception) -> None:
    report_id = crash_reports.report(error)
    log.exception("invocation failed", error=error, report_id=report_id)
    metrics.count(MetricName.INVOCATION_FAILURES)


def _is_background(event: Any) -> bool:
    """Whether nobody waits for an answer: schedules and queues come again."""
    return _described(event)["trigger"] != "http"


def _described(event: Any) -> dict[str, object]:
    """What kind of event this is; never its query, headers or body."""
    if not isinstance(event, Mapping):
        return {"trigger": "other"}
    http = (event.get("requestContext") or {}).get("http")
    if isinstance(http, Mapping):
        return {"trigger": "http", "method": http.get("method"), "path": event.get("rawPath")}
    if isinstance(event.get("Records"), list):
        return {"trigger": "queue", "records": len(event["Records"])}
    return {"trigger": "schedule" if event.get("source") == "aws.events" else "other"}
