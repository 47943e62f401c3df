"""The vocabulary of spans: their names, one that is under way, and where they may be sent.

Knows no provider; what opens and times spans is ``tracing``.
"""

from collections.abc import Callable
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from shared.observability.request_context import Note


class SpanName(StrEnum):
    """Every span. Names avoid words that crash reporters scrub (token, session, auth)."""

    AUTHENTICATE = "authenticate"
    CLOSE_CALL = "close_call"
    CLIENT_DOCUMENT = "client_document"
    UPSTREAM_RPC = "upstream_rpc"
    UPSTREAM_OAUTH = "upstream_oauth"
    UPSTREAM_PROBE = "upstream_probe"
    REFRESH = "refresh"
    TOOL = "tool"
    PURGE = "purge"
    ROTATE_KEYS = "rotate_keys"
    ROLL_UP_USAGE = "roll_up_usage"
    CIRCUIT_PROBE = "circuit_probe"
    CIRCUIT_REPORT = "circuit_report"


class OpenSpan:
    """A span under way; attributes can be added until it ends."""

    __slots__ = ("attributes", "name", "outcome", "parent", "span_id")

    def __init__(
        self, name: SpanName, parent: "OpenSpan | None", attributes: dict[str, Any]
    ) -> None:
        self.name = name
        self.parent = parent
        self.attributes = attributes
        self.outcome = "ok"
        self.span_id: str | None = None
        """16 hexadecimal digits; a provider's own where there is one."""

    def set(self, **attributes: "Note") -> None:
        """Add or replace attributes."""
        self.attributes.update(attributes)


class TraceProvider(StrEnum):
    """Where spans go beside log and metrics; the value is that of the setting."""

    NONE = "none"
    XRAY = "xray"
    OPENTELEMETRY = "opentelemetry"


class SpanSink(Protocol):
    """Where spans go beside log and metrics; a provider takes over by implementing this."""

    def begin(self, span: OpenSpan) -> None:
        """A span has begun; its parent, if any, has begun before it and not ended."""

    def end(self, span: OpenSpan) -> None:
        """It has ended, with its final attributes and outcome."""

    def around(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        """``handler`` with the invocation's own root span around every call.

        The request's context is current when it is called.
        """
