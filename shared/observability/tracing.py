"""Spans: the parts a request spends its time in, told to log, metrics and, when on, to X-Ray.

A span's parent travels in a context variable, so concurrent asyncio tasks never close or adopt
each other's spans; the X-Ray recorder's own thread-local stack is not used for them. Attributes
must never carry anything secret: they are redacted all the same.
"""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

from shared.observability import metrics, request_context
from shared.observability.logging import log
from shared.observability.spans import OpenSpan, SpanName, SpanSink

if TYPE_CHECKING:
    from shared.observability.request_context import Note


ON_LAMBDA = "LAMBDA_TASK_ROOT"
"""Set where the X-Ray daemon listens; nothing does elsewhere."""


_current: ContextVar[OpenSpan | None] = ContextVar("current_span", default=None)
_sink: SpanSink | None = None


def configure(*, service: str, enabled: bool) -> None:
    """Send spans to X-Ray if that is wanted and this process runs on Lambda; else nowhere."""
    global _sink  # noqa: PLW0603 - one provider a process, chosen once by its composition root
    _sink = None
    if enabled and os.environ.get(ON_LAMBDA):
        # Imported here: the X-Ray SDK costs every cold start that does not trace.
        from shared.observability.xray import XraySink  # noqa: PLC0415 - lazy, see above

        _sink = XraySink(service)


def sink() -> SpanSink | None:
    """Where spans go at present, beside log and metrics."""
    return _sink


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
