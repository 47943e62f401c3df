"""The trace that an MCP message continues, told by ``_meta.traceparent`` of its params.

SEP-414 of the MCP specification: clients without a say over HTTP headers tell it there. Looked for
before anything is logged, so that every line has the same correlation id.
"""

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

import pydantic_core

from shared.observability import trace_context
from shared.observability.trace_context import TRACEPARENT, TraceContext

BODY_BYTES_MAX: Final = 65_536
"""Larger messages are not looked into: reading them twice would cost more than a trace is worth."""


def trace_of_message(event: Any) -> TraceContext | None:
    """What the event's body tells; None for whatever is not a message that tells it."""
    body = event.get("body") if isinstance(event, Mapping) else None
    if not isinstance(body, str) or len(body) > BODY_BYTES_MAX:
        return None
    try:
        content = base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()
        if TRACEPARENT.encode() not in content:
            return None
        found: object = pydantic_core.from_json(content)
    except (binascii.Error, ValueError):
        return None
    for member in ("params", "_meta", TRACEPARENT):
        found = found.get(member) if isinstance(found, dict) else None
    return trace_context.parse(found)
