"""Why a client's document cannot be used; each fault belongs to one of two errors."""

from enum import StrEnum

from shared.errors.base import ServiceError, UnavailableError
from shared.errors.catalogue import ErrorCode


class DocumentFault(StrEnum):
    """What was wrong, for the log, the audit and a metric's dimension."""

    NOT_RESOLVED = "not_resolved"
    TIMEOUT = "timeout"
    NO_CONNECTION = "no_connection"
    STATUS = "status"
    TOO_MANY_FETCHES = "too_many_fetches"
    BAD_ID = "bad_id"
    FORBIDDEN_ADDRESS = "forbidden_address"
    REDIRECT = "redirect"
    CONTENT_TYPE = "content_type"
    TOO_LARGE = "too_large"
    NOT_JSON = "not_json"
    OTHER_ID = "other_id"
    SECRET = "secret"  # noqa: S105 - names a fault
    AUTH_METHOD = "auth_method"
    KEYS = "keys"
    REDIRECT_URIS = "redirect_uris"
    METADATA = "metadata"


PASSING = frozenset(
    {
        DocumentFault.NOT_RESOLVED,
        DocumentFault.TIMEOUT,
        DocumentFault.NO_CONNECTION,
        DocumentFault.STATUS,
        DocumentFault.TOO_MANY_FETCHES,
    }
)
"""Faults of the way to the document; all others are the document's own or its address's."""


class ClientDocumentUnavailableError(UnavailableError):
    """The document cannot be had at the moment."""

    code = ErrorCode.CLIENT_DOCUMENT_UNAVAILABLE


class ClientDocumentInvalidError(ServiceError):
    """There is a document, or an address, that is not acceptable."""

    code = ErrorCode.CLIENT_DOCUMENT_INVALID


class DocumentFaultError(Exception):
    """One attempt to get a document failed; the flow decides what that means for the person."""

    def __init__(self, fault: DocumentFault) -> None:
        super().__init__(fault.value)
        self.fault = fault

    def as_service_error(self) -> ServiceError:
        """The catalogued error, with the fault as a fact for the log."""
        facts = {"document_fault": self.fault.value}
        if self.fault in PASSING:
            return ClientDocumentUnavailableError(facts)
        return ClientDocumentInvalidError(facts)
