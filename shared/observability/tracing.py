"""Spans: the parts a request spends its time in, told to log, metrics and the chosen provider.

A span's parent travels in a context variable, so concurrent asyncio tasks never close or adopt
each other's spans; no provider's own idea of a current span is used for them. Attributes must
never carry anything secret: they are redacted all the same.
"""

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Protocol

from shared.observability import metrics, request_context, trace_context
from shared.observability.logging import log
from shared.observability.spans import OpenSpan, SpanName, SpanSink, TraceProvider

if TYPE_CHECKING:
    from shared.observability.request_context import Note


class TraceSettings(Protocol):
    """The settings that ``configure`` needs."""

    @property
    def stage(self) -> str:
        """Where this process runs."""

    @property
    def release(self) -> str:
        """Version, for traces."""

    @property
    def trace_provider(self) -> str:
        """Where spans go."""

    @property
    def trace_sample_rate(self) -> float:
        """Share of traces that OpenTelemetry records, 0 to 1."""

    @property
    def otlp_traces_url(self) -> str | None:
        """The collector's address."""

    @property
    def otlp_timeout_seconds(self) -> float:
        """Longest wait for it, tries included."""


ON_LAMBDA = "LAMBDA_TASK_ROOT"
"""Set where the X-Ray daemon listens; nothing does elsewhere."""


_current: ContextVar[OpenSpan | None] = ContextVar("current_span", default=None)
_sink: SpanSink | None = None


class TracingUnavailableError(Exception):
    """The chosen provider's packages are not there; the process must not start without them."""


def configure(settings: TraceSettings, *, service: str) -> None:
    """Send spans to the provider that is set, each only where it can be reached.

    X-Ray's daemon listens on Lambda alone; OpenTelemetry needs a collector's address.

    Raises:
        TracingUnavailableError: the provider is not in this artifact.
    """
    provider = settings.trace_provider
    if provider == TraceProvider.XRAY and os.environ.get(ON_LAMBDA):
        # Imported here: the X-Ray SDK costs every cold start that does not trace.
        from shared.observability.xray import XraySink  # noqa: PLC0415 - lazy, see above

        use(XraySink(service))
    elif provider == TraceProvider.OPENTELEMETRY and settings.otlp_traces_url:
        use(_open_telemetry(settings, settings.otlp_traces_url, service))
    else:
        use(None)


def _open_telemetry(settings: TraceSettings, url: str, service: str) -> SpanSink:
    try:
        # As above, and its packages are an extra.
        from shared.observability import open_telemetry, otlp  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise TracingUnavailableError(
            f"TRACE_PROVIDER is opentelemetry, but {error.name} is not in this artifact: build it "
            "with EXTRAS=opentelemetry, or set TRACE_PROVIDER to xray or none"
        ) from None
    return open_telemetry.OpenTelemetrySink(
        otlp.exporter(url, timeout_seconds=settings.otlp_timeout_seconds),
        service=service,
        stage=str(settings.stage),
        release=settings.release,
        sample_rate=settings.trace_sample_rate,
    )


def use(provider: SpanSink | None) -> None:
    """Send spans there from now on; None: to log and metrics only."""
    global _sink  # noqa: PLW0603 - one provider a process, chosen once by its composition root
    _sink = provider


def sink() -> SpanSink | None:
    """Where spans go at present, beside log and metrics."""
    return _sink


def traceparent() -> str | None:
    """What the next one downstream is told: this request's trace, under the current span.

    None outside of a request.
    """
    request = request_context.current()
    if request is None:
        return None
    trace, span = request.trace, _current.get()
    span_id = (span.span_id if span else None) or _drawn_id()
    if span is not None:
        span.span_id = span_id
    recorded = trace.sampled if trace.parent_id else _sink is not None
    return trace_context.traceparent(trace.trace_id, span_id, sampled=recorded)


def _drawn_id() -> str:
    """The id of a span that no provider knows; never all zero."""
    return f"{secrets.randbits(64) or 1:016x}"


@contextmanager
def span(name: SpanName, /, **attributes: "Note") -> Iterator[OpenSpan]:
    """Time the block as ``name``, within the span that is current for this task."""
    opened = OpenSpan(name, _current.get(), dict(attributes))
    sink = _sink
    token = _current.set(opened)
    started = time.perf_counter()
    if sink is not None:
        sink.begin(opened)
    try:
        yield opened
    except BaseException as error:
        opened.outcome = "failed"
        opened.attributes.setdefault("error_type", type(error).__name__)
        raise
    finally:
        _current.reset(token)
        _tell(opened, (time.perf_counter() - started) * 1000)
        if sink is not None:
            sink.end(opened)


def _tell(ended: OpenSpan, milliseconds: float) -> None:
    request_context.add_spent(ended.name.value, milliseconds)
    metrics.duration(
        metrics.MetricName.SPAN_DURATION, milliseconds, span=ended.name.value, outcome=ended.outcome
    )
    log.debug(
        "span ended",
        span=ended.name.value,
        parent=ended.parent.name.value if ended.parent else None,
        outcome=ended.outcome,
        duration_milliseconds=round(milliseconds, 3),
        attributes=ended.attributes,
    )
