"""Requests as they were: what came in, how it ended, and the spans in between; the newest so many.

Knows log lines and trace documents by their fields, and nothing of who wrote them.
"""

from collections import OrderedDict, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from shared.observability.redaction import redact

REQUESTS_MAX: Final = 300
EARLY_SPANS_MAX: Final = 500
"""Spans of requests whose first line has not been read yet: they come the faster way."""
SPANS_PER_REQUEST_MAX: Final = 200
LINES_PER_REQUEST_MAX: Final = 50
FACTS_MAX: Final = 30

STARTED: Final = "invocation started"
ENDED: Final = "invocation ended"
_OF_EVERY_LINE: Final = frozenset(
    {"level", "location", "message", "timestamp", "service", "stage", "release", "correlation_id"}
)


@dataclass(frozen=True, slots=True)
class Span:
    """One part of a request; times in epoch seconds."""

    span_id: str
    parent_id: str
    name: str
    begin: float
    end: float
    failed: bool
    facts: Mapping[str, object]

    @property
    def milliseconds(self) -> float:
        """How long it took."""
        return (self.end - self.begin) * 1000


@dataclass(slots=True)
class Request:
    """One invocation; ``milliseconds`` is None while it is under way."""

    request_id: str
    function: str
    correlation_id: str
    began_at: str
    facts: dict[str, object]
    milliseconds: float | None = None
    spans: list[Span] = field(default_factory=list)
    lines: list[Mapping[str, object]] = field(default_factory=list)
    """What else it logged."""

    @property
    def root(self) -> Span | None:
        """The invocation's own span, if it was traced."""
        return next((one for one in self.spans if one.name.startswith("## ")), None)

    @property
    def has_failed(self) -> bool:
        """Whether somebody should look at it."""
        status = self.facts.get("status")
        served = not isinstance(status, int) or status < 500
        return bool(self.facts.get("failed")) or not served

    def in_order(self) -> list[tuple[int, Span]]:
        """The spans under the root, each behind its parent, with its depth."""
        children: dict[str, list[Span]] = {}
        known = {one.span_id for one in self.spans}
        root = self.root
        for span in sorted(self.spans, key=lambda one: one.begin):
            above = span.parent_id if span.parent_id in known else ""
            children.setdefault(above, []).append(span)
        found: list[tuple[int, Span]] = []
        waiting = [(0, one) for one in reversed(children.get("", []))]
        while waiting:
            depth, span = waiting.pop()
            if span is not root:
                found.append((depth - (root is not None), span))
            below = children.get(span.span_id, [])
            waiting += [(depth + 1, one) for one in reversed(below)]
        return [(max(depth, 0), span) for depth, span in found]


class RequestLog:
    """The newest requests, by the platform's request id."""

    def __init__(self) -> None:
        self._requests: OrderedDict[str, Request] = OrderedDict()
        self._open: dict[tuple[str, str], Request] = {}
        self._early: deque[tuple[str, Span]] = deque(maxlen=EARLY_SPANS_MAX)

    def newest_first(self) -> list[Request]:
        """All that are kept."""
        return list(reversed(self._requests.values()))

    def get(self, request_id: str) -> Request | None:
        """One request."""
        return self._requests.get(request_id)

    def take_line(self, line: Mapping[str, Any]) -> Request | None:
        """Take in a log line; the request it ended, if it did."""
        clean = redact(dict(line))
        if not isinstance(clean, dict):
            return None
        by = (str(clean.get("service")), str(clean.get("correlation_id")))
        if clean.get("message") == STARTED:
            self._begin(by, clean)
            return None
        request = self._open.get(by)
        if request is None:
            return None
        if clean.get("message") != ENDED:
            if len(request.lines) < LINES_PER_REQUEST_MAX:
                request.lines.append(clean)
            return None
        del self._open[by]
        request.facts.update(_facts(clean))
        taken = request.facts.pop("duration_milliseconds", None)
        request.milliseconds = float(taken) if isinstance(taken, int | float) else 0.0
        return request

    def take_span(self, document: Mapping[str, Any]) -> None:
        """Take in a trace document; it waits a while for its request.

        Raises:
            KeyError, ValueError: it is none.
        """
        if document.get("in_progress"):
            return
        span, request_id = _span(document), _request_id(str(document["trace_id"]))
        request = self._requests.get(request_id)
        if request is None:
            self._early.append((request_id, span))
        elif len(request.spans) < SPANS_PER_REQUEST_MAX:
            request.spans.append(span)

    def _begin(self, by: tuple[str, str], line: Mapping[str, Any]) -> None:
        facts = _facts(line)
        request_id = str(facts.pop("lambda_request_id", None) or f"{len(self._requests)}-{by[1]}")
        request = Request(request_id, *by, str(line.get("timestamp")), facts)
        request.spans += [span for known, span in self._early if known == request_id]
        self._requests[request_id] = self._open[by] = request
        while len(self._requests) > REQUESTS_MAX:
            _, oldest = self._requests.popitem(last=False)
            key = (oldest.function, oldest.correlation_id)
            if self._open.get(key) is oldest:
                del self._open[key]


def _span(document: Mapping[str, Any]) -> Span:
    facts = redact(dict(document.get("annotations") or {}))
    return Span(
        span_id=str(document["id"]),
        parent_id=str(document.get("parent_id")),
        name=str(document["name"]),
        begin=float(document["start_time"]),
        end=float(document["end_time"]),
        failed=bool(document.get("fault") or document.get("error")),
        facts=facts if isinstance(facts, dict) else {},
    )


def _facts(line: Mapping[str, Any]) -> dict[str, object]:
    own = [(name, value) for name, value in line.items() if name not in _OF_EVERY_LINE]
    return dict(own[:FACTS_MAX])


def _request_id(trace_id: str) -> str:
    """The request id from which the emulator made a trace id (``1-8 digits-24 digits``)."""
    digits = trace_id.removeprefix("1-").replace("-", "")
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)
