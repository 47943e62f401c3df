"""W3C Trace Context: the trace that a caller has begun, and what the next one downstream is told.

Knows level 1 of https://www.w3.org/TR/trace-context/ and only ``traceparent``: ``tracestate`` and
baggage are free text of strangers, and are not passed on to the site.
"""

import re
from dataclasses import dataclass
from typing import Final

TRACEPARENT: Final = "traceparent"

_TRACEPARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<more>-.*)?"
)
_TRACE_ID = re.compile(r"[0-9a-f]{32}")
_FORBIDDEN_VERSION: Final = "ff"
_SAMPLED: Final = 1


@dataclass(frozen=True, slots=True)
class TraceContext:
    """One trace as it reached us; ``parent_id`` is the caller's span, None if it begins here."""

    trace_id: str
    parent_id: str | None = None
    sampled: bool = False
    """What the caller says of its own records; never decides about ours."""


def parse(value: object) -> TraceContext | None:
    """The trace that a ``traceparent`` names; None for everything malformed (section 3.2.2)."""
    found = _TRACEPARENT.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or found["version"] == _FORBIDDEN_VERSION:
        return None
    if found["version"] == "00" and found["more"] is not None:
        return None
    if not (is_trace_id(found["trace"]) and int(found["parent"], 16)):
        return None
    sampled = bool(int(found["flags"], 16) & _SAMPLED)
    return TraceContext(found["trace"], found["parent"], sampled)


def is_trace_id(text: str) -> bool:
    """Whether a trace could have this id: 32 hexadecimal digits, not all zero."""
    return _TRACE_ID.fullmatch(text) is not None and bool(int(text, 16))


def traceparent(trace_id: str, span_id: str, *, sampled: bool) -> str:
    """The header for the next one downstream, whose parent is ``span_id``."""
    return f"00-{trace_id}-{span_id}-{int(sampled):02x}"
