"""What is known about the request under way: its correlation id, its deadline, what to note of it.

Travels in a context variable, so concurrent tasks and threads started by a request see their own.
It must never hold anything secret: the correlation id goes to logs, to Drupal and to callers.
"""

import math
import re
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from enum import StrEnum

from shared.observability import trace_context
from shared.observability.redaction import redact_text
from shared.observability.trace_context import TraceContext

NO_CORRELATION_ID = "none"
CORRELATION_HEADERS = ("x-correlation-id", "x-request-id")

Note = str | int | float | bool | None

_WELL_FORMED = re.compile(r"[A-Za-z0-9._-]{8,64}")


class Ending(StrEnum):
    """How a fault ended; the value is the metric's dimension."""

    RETRY = "recovered_by_retry"
    REFRESH = "recovered_by_refresh"
    FALLBACK = "recovered_by_fallback"
    """The work was done without the dependency: from memory, from a cache, or left out."""
    PROBE = "recovered_by_probe"
    """The call that a circuit let out to try the dependency found it well, and closed it."""
    SURFACED = "surfaced"
    """A caller was told; or, of work in the background, nothing has recovered it in time."""


@dataclass(slots=True, kw_only=True)
class MetFault:
    """One fault of a request; ``ending`` is None until it is known."""

    dependency: str
    code: str
    ending: Ending | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestContext:
    """One invocation. ``deadline_monotonic`` is on ``time.monotonic()``'s scale, in seconds."""

    correlation_id: str
    function: str
    trace: TraceContext
    deadline_monotonic: float = math.inf
    cold_start: bool = False
    notes: dict[str, Note] = field(default_factory=dict)
    faults: list[MetFault] = field(default_factory=list)
    """What failed on the way, the first one first."""
    probing: list[str] = field(default_factory=list)
    """Dependencies that this request is trying for everybody at the moment."""
    spent: dict[str, float] = field(default_factory=dict)
    """Milliseconds by span."""
    started_monotonic: float = field(default_factory=time.monotonic)

    @property
    def elapsed_milliseconds(self) -> float:
        """Since the request began."""
        return (time.monotonic() - self.started_monotonic) * 1000


_current: ContextVar[RequestContext | None] = ContextVar("request_context", default=None)


@contextmanager
def begin_request(
    *,
    function: str,
    correlation_id: str | None = None,
    trace: TraceContext | None = None,
    remaining_seconds: float = math.inf,
    cold_start: bool = False,
) -> Iterator[RequestContext]:
    """Make a request current until the block ends; a new correlation id unless one is given.

    Without a trace taken over, one begins here; wherever that can be, under the correlation id.
    """
    chosen = correlation_id or (trace.trace_id if trace else new_correlation_id())
    context = RequestContext(
        correlation_id=chosen,
        function=function,
        trace=trace or _begun(chosen),
        deadline_monotonic=time.monotonic() + remaining_seconds,
        cold_start=cold_start,
    )
    token = _current.set(context)
    try:
        yield context
    finally:
        _current.reset(token)


def _begun(correlation_id: str) -> TraceContext:
    fits = trace_context.is_trace_id(correlation_id)
    return TraceContext(correlation_id if fits else uuid.uuid4().hex)


def current() -> RequestContext | None:
    """The request under way, if there is one."""
    return _current.get()


def required() -> RequestContext:
    """The request under way.

    Raises:
        LookupError: there is none.
    """
    context = _current.get()
    if context is None:
        raise LookupError("outside of a request")
    return context


def correlation_id() -> str:
    """The correlation id of the request under way; ``"none"`` outside of one."""
    context = _current.get()
    return NO_CORRELATION_ID if context is None else context.correlation_id


def remaining_seconds() -> float:
    """Seconds until the platform stops the request, never below 0; infinite outside of one."""
    context = _current.get()
    return math.inf if context is None else max(0.0, context.deadline_monotonic - time.monotonic())


def note(**facts: Note) -> None:
    """Add facts to the one line that is logged when the request ends."""
    context = _current.get()
    if context is not None:
        context.notes.update(facts)


def add_spent(span: str, milliseconds: float) -> None:
    """Add to the time that the request has spent in a span."""
    context = _current.get()
    if context is not None:
        context.spent[span] = context.spent.get(span, 0.0) + milliseconds


def new_correlation_id() -> str:
    """A correlation id: 32 hexadecimal digits."""
    return uuid.uuid4().hex


def correlation_id_from(headers: Mapping[str, object]) -> str | None:
    """The id that a caller asks for, if it is well formed and no secret in disguise.

    ``x-correlation-id`` comes before ``x-request-id``. Without either, the trace that the caller
    has begun names the request, see ``begin_request``.
    """
    given = _by_lower_name(headers)
    for header in CORRELATION_HEADERS:
        value = given.get(header)
        if isinstance(value, str) and _WELL_FORMED.fullmatch(value) and redact_text(value) == value:
            return value
    return None


def trace_from(headers: Mapping[str, object]) -> TraceContext | None:
    """The trace that the caller's ``traceparent`` header continues."""
    return trace_context.parse(_by_lower_name(headers).get(trace_context.TRACEPARENT))


def _by_lower_name(headers: Mapping[str, object]) -> dict[str, object]:
    return {str(name).lower(): value for name, value in headers.items()}
