"""What a row of the error catalogue says, and the words that it says it with."""

from dataclasses import dataclass
from enum import StrEnum


class Category(StrEnum):
    """Who is concerned by an error."""

    AUTHENTICATION = "authentication"
    AUTHORIZATION = "authorization"
    SEARCH = "search"
    CONTENT = "content"
    RATE_LIMIT = "rate_limit"
    CLIENT = "client"
    SYSTEM = "system"


class Guidance(StrEnum):
    """What the caller can do next; a model reads this in the tool error."""

    RETRY_LATER = "retry_later"
    SIGN_IN = "sign_in"
    SUBSCRIBE = "subscribe"
    CHANGE_ARGUMENTS = "change_arguments"
    CONTACT_SUPPORT = "contact_support"


class Severity(StrEnum):
    """How loudly the log tells it."""

    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class ErrorEntry:
    """One row of the catalogue.

    ``oauth_code`` is the ``error`` member of an OAuth answer (RFC 6749 section 5.2, RFC 6750
    section 3.1); ``jsonrpc_code`` that of a protocol error (JSON-RPC 2.0 section 5.1).
    """

    category: Category
    http_status: int
    message: str
    guidance: Guidance
    oauth_code: str = "invalid_request"
    jsonrpc_code: int = -32603
    retry_after_seconds: int | None = None
    severity: Severity = Severity.WARNING

    @property
    def retryable(self) -> bool:
        """Whether the same request can succeed later without a change."""
        return self.guidance is Guidance.RETRY_LATER
