"""Catalogue rows into the shapes that OAuth, JSON-RPC and tool callers read.

Pure functions from an error to a JSON object; headers and transport belong to the doors.
"""

from shared.errors.base import ServiceError
from shared.errors.catalogue import CATALOGUE, ErrorCode

JsonObject = dict[str, object]


def as_service_error(error: BaseException) -> ServiceError:
    """The error itself if the catalogue knows it, else ``internal_error`` caused by it."""
    if isinstance(error, ServiceError):
        return error
    wrapped = ServiceError({"error_type": type(error).__name__})
    wrapped.__cause__ = error
    return wrapped


def as_guidance(error: ServiceError, *, correlation_id: str) -> JsonObject:
    """What a person or a model needs to go on: code, text, next step, correlation id."""
    body: JsonObject = {
        "code": error.code.value,
        "category": error.entry.category.value,
        "message": error.entry.message,
        "guidance": error.entry.guidance.value,
        "retryable": error.entry.retryable,
        "correlation_id": correlation_id,
    }
    if error.retry_after_seconds is not None:
        body["retry_after_seconds"] = error.retry_after_seconds
    return {**body, **_reported(error)}


def _reported(error: ServiceError) -> JsonObject:
    return {} if error.report_id is None else {"report_id": error.report_id}


def as_oauth_error(error: ServiceError, *, correlation_id: str) -> JsonObject:
    """The error answer of RFC 6749 section 5.2, with our code and correlation id beside it."""
    return {
        "error": error.entry.oauth_code,
        "error_description": error.entry.message,
        "code": error.code.value,
        "correlation_id": correlation_id,
        **_reported(error),
    }


def as_jsonrpc_error(
    error: ServiceError,
    *,
    correlation_id: str,
    request_id: str | int | None = None,
    details: JsonObject | None = None,
) -> JsonObject:
    """An error response of JSON-RPC 2.0 section 5.1; guidance and ``details`` go into ``data``."""
    return {
        "jsonrpc": "2.0",
        "id": request_id,
        "error": {
            "code": error.entry.jsonrpc_code,
            "message": error.entry.message,
            "data": {**as_guidance(error, correlation_id=correlation_id), **(details or {})},
        },
    }


def as_problem(error: ServiceError, *, correlation_id: str) -> JsonObject:
    """The problem document of RFC 9457 section 3, for addresses with no protocol of their own.

    With OAuth's two members beside it: clients look for them wherever they meet an error.
    """
    return {
        "type": f"urn:drupalize-mcp:error:{error.code.value}",
        "title": error.entry.message,
        "status": error.entry.http_status,
        "instance": f"urn:drupalize-mcp:request:{correlation_id}",
        **as_guidance(error, correlation_id=correlation_id),
        "error": error.entry.oauth_code,
        "error_description": error.entry.message,
    }


def message_of(code: ErrorCode) -> str:
    """The catalogue's text for ``code``, for a page or a log."""
    return CATALOGUE[code].message
