"""Spans as X-Ray subsegments, under the invocation's subsegment that Powertools' Tracer opens.

Loaded only when tracing is on: it must never be imported by anything but ``tracing``.
"""

from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

from aws_lambda_powertools import Tracer
from aws_xray_sdk.core.models import (  # type: ignore[import-untyped] # it ships no types
    segment,
    subsegment,
)

from shared.observability.redaction import redact
from shared.observability.request_context import correlation_id
from shared.observability.spans import OpenSpan

_root: ContextVar[Any] = ContextVar("xray_root", default=None)
"""The invocation's own subsegment: the recorder knows it in the handler's thread only."""


class XraySink:
    """Sends each span as a document of its own, with its parent written into it.

    The recorder keeps open subsegments on a stack per thread, where concurrent tasks would close
    each other's; so only the root goes through it, in the handler's synchronous part.
    """

    def __init__(self, service: str) -> None:
        self._tracer = Tracer(service=service, auto_patch=False)
        self._recorder: Any = self._tracer.provider
        self._open: dict[OpenSpan, Any] = {}

    def around(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """``handler`` in the Tracer's subsegment; neither answers nor errors go into traces."""

        def rooted(event: Any, context: Any) -> Any:
            token = _root.set(self._recorder.get_trace_entity())
            try:
                return handler(event, context)
            finally:
                _root.reset(token)

        rooted.__name__ = handler.__name__
        traced: Callable[[Any, Any], Any] = self._tracer.capture_lambda_handler(
            rooted, capture_response=False, capture_error=False
        )
        return traced

    def begin(self, span: OpenSpan) -> None:
        """Open a subsegment under the parent's, or under the invocation's."""
        above = self._open.get(span.parent) if span.parent is not None else None
        root = above or _root.get()
        if root is None:
            return
        whole = root if isinstance(root, segment.Segment) else root.parent_segment
        if not whole.sampled:
            return
        opened = subsegment.Subsegment(span.name.value, "local", whole)
        opened.parent_id = root.id
        span.span_id = opened.id
        self._open[span] = opened

    def end(self, span: OpenSpan) -> None:
        """Close the subsegment and send it, with the correlation id to find it by."""
        opened = self._open.pop(span, None)
        if opened is None:
            return
        opened.put_annotation("correlation_id", correlation_id())
        for key, value in span.attributes.items():
            clean = redact({key: value})
            if isinstance(clean, dict) and clean[key] is not None:
                opened.put_annotation(key, clean[key])
        if span.outcome == "failed":
            opened.add_fault_flag()
        opened.close()
        self._recorder.emitter.send_entity(opened)
