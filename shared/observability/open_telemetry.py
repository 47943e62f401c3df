"""Spans as OpenTelemetry spans, sent by OTLP over HTTP when an invocation has ended.

Loaded only when it is the provider: it must never be imported by anything but ``tracing``. Our own
provider is never made the process's: what libraries trace by themselves may name what a person
asked, and stays at home.
"""

import secrets
import threading
import time
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any, Final

from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import TraceIdRatioBased
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    format_span_id,
    set_span_in_context,
)

from shared.observability import request_context
from shared.observability.logging import log
from shared.observability.redaction import redact
from shared.observability.spans import OpenSpan

SPANS_MAX: Final = 1_000
"""Kept of one invocation; the rest is counted and dropped."""
PAUSE_SECONDS: Final = 60.0
"""After a batch that was not taken, nothing is sent this long: nobody waits for it again."""

_root: ContextVar[Span | None] = ContextVar("open_telemetry_root", default=None)
_CLIENT_KINDS: Final = ("upstream_", "client_document")


class _Ids(IdGenerator):
    """Trace ids are the request's own; span ids are drawn anew after a snapshot's restore."""

    def generate_span_id(self) -> int:
        return secrets.randbits(64) or 1

    def generate_trace_id(self) -> int:
        request = request_context.current()
        return int(request.trace.trace_id, 16) if request else secrets.randbits(128) or 1


class _Batch(SpanProcessor):
    """The spans of one invocation, sent from its own thread when it has ended.

    Without a thread of its own: a frozen environment would stop it halfway through a request.
    """

    def __init__(self, exporter: SpanExporter) -> None:
        self._exporter = exporter
        self._lock = threading.Lock()
        self._ended: list[ReadableSpan] = []
        self._dropped = 0
        self._paused_until = 0.0

    def on_end(self, span: ReadableSpan) -> None:
        """Keep it until the invocation has ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        with self._lock:
            if len(self._ended) < SPANS_MAX:
                self._ended.append(span)
            else:
                self._dropped += 1

    def send(self) -> None:
        """Send what has ended, once; a receiver that does not take it is left alone a while."""
        with self._lock:
            spans, self._ended = self._ended, []
            dropped, self._dropped = self._dropped, 0
        if spans and time.monotonic() >= self._paused_until and not self._taken(spans):
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            log.warning("spans not delivered", spans=len(spans))
        if dropped:
            log.warning("spans dropped", spans=dropped)

    def _taken(self, spans: list[ReadableSpan]) -> bool:
        try:
            return self._exporter.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - tracing must not add a crash to an answer
            log.warning("span exporter failed", error=error)
            return False


class OpenTelemetrySink:
    """Opens a span of the SDK for each of ours, with its parent given by hand."""

    def __init__(
        self, exporter: SpanExporter, *, service: str, stage: str, release: str, sample_rate: float
    ) -> None:
        self._service = service
        self._batch = _Batch(exporter)
        provider = TracerProvider(
            # By our own share alone: a stranger's flag must not decide what we pay for.
            sampler=TraceIdRatioBased(sample_rate),
            resource=Resource(
                {
                    "service.name": service,
                    "service.namespace": "drupalize-mcp",
                    "service.version": release,
                    "deployment.environment.name": stage,
                }
            ),
            shutdown_on_exit=False,
            id_generator=_Ids(),
        )
        provider.add_span_processor(self._batch)
        self._tracer = provider.get_tracer("drupalize-mcp", release)
        self._open: dict[OpenSpan, Span] = {}

    def around(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """``handler`` in the invocation's root span, which continues the caller's trace."""

        def rooted(event: Any, context: Any) -> Any:
            request = request_context.current()
            root = self._tracer.start_span(
                self._service, context=_above(request), kind=SpanKind.SERVER
            )
            if request is not None:
                root.set_attribute("correlation_id", request.correlation_id)
                root.set_attribute("cold_start", request.cold_start)
            token = _root.set(root)
            try:
                return handler(event, context)
            except BaseException as error:
                _fail(root, type(error).__name__)
                raise
            finally:
                _root.reset(token)
                root.end()
                self._batch.send()

        return rooted

    def begin(self, span: OpenSpan) -> None:
        """Open a span under the parent's, or under the invocation's."""
        above = self._open.get(span.parent) if span.parent is not None else None
        root = above or _root.get()
        if root is None:
            return
        calls_out = span.name.value.startswith(_CLIENT_KINDS)
        opened = self._tracer.start_span(
            span.name.value,
            context=set_span_in_context(root, Context()),
            kind=SpanKind.CLIENT if calls_out else SpanKind.INTERNAL,
        )
        span.span_id = format_span_id(opened.get_span_context().span_id)
        self._open[span] = opened

    def end(self, span: OpenSpan) -> None:
        """Close it, with the correlation id to find it by."""
        opened = self._open.pop(span, None)
        if opened is None:
            return
        opened.set_attribute("correlation_id", request_context.correlation_id())
        for key, value in span.attributes.items():
            clean = redact({key: value})
            if isinstance(clean, dict) and clean[key] is not None:
                opened.set_attribute(key, clean[key])
        if span.outcome == "failed":
            _fail(opened, str(span.attributes.get("error_type", "")))
        opened.end()


def _above(request: request_context.RequestContext | None) -> Context:
    """The caller's span, if it has told one; else nothing."""
    if request is None or request.trace.parent_id is None:
        return Context()
    caller = SpanContext(
        int(request.trace.trace_id, 16),
        int(request.trace.parent_id, 16),
        is_remote=True,
        trace_flags=TraceFlags(TraceFlags.SAMPLED if request.trace.sampled else 0),
    )
    return set_span_in_context(NonRecordingSpan(caller), Context())


def _fail(span: Span, error_type: str) -> None:
    """Say that it failed, and how; never with an exception's own text."""
    span.set_status(StatusCode.ERROR)
    if error_type:
        span.set_attribute("error.type", error_type)
