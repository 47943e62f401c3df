"""Reads one JSON-RPC message from a request, before anybody is asked who sent it.

Never repeats what it read: an error says which rule was broken, not with what.
"""

import re
from dataclasses import dataclass
from typing import Any, ClassVar

import pydantic_core
from mcp_types.jsonrpc import (
    JSONRPCMessage,
    JSONRPCNotification,
    JSONRPCRequest,
    jsonrpc_message_adapter,
)
from pydantic import ValidationError

from functions.mcp_endpoint.answers import Receive, Scope, header_values
from shared.errors.base import LogFact, ServiceError
from shared.errors.catalogue import ErrorCode

_JSON_TYPE = "application/json"
_ENVELOPE_RULE = (
    'Send {"jsonrpc": "2.0", "id": a string or number, "method": a string, "params": an object}; '
    "leave id out for a notification only."
)
_EVENT_STREAM_TYPES = frozenset({"text/event-stream", "text/*", "*/*"})


class MessageRefusedError(ServiceError):
    """A body that is no single JSON-RPC message; ``rule`` says what it should have been."""

    code: ClassVar[ErrorCode] = ErrorCode.INVALID_REQUEST

    def __init__(self, rule: str, facts: dict[str, LogFact] | None = None) -> None:
        super().__init__(facts)
        self.rule = rule


class BodyTooLargeError(MessageRefusedError):
    """The body is larger than the limit."""

    code: ClassVar[ErrorCode] = ErrorCode.BODY_TOO_LARGE


class UnsupportedMediaTypeError(MessageRefusedError):
    """The body is not announced as JSON."""

    code: ClassVar[ErrorCode] = ErrorCode.UNSUPPORTED_MEDIA_TYPE


class MalformedMessageError(MessageRefusedError):
    """The body is not JSON."""

    code: ClassVar[ErrorCode] = ErrorCode.MALFORMED_MESSAGE


class ClientGoneError(Exception):
    """The client left before its request was complete: nobody is there to answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingMessage:
    """One well-formed JSON-RPC message with its bytes, which go to the SDK as they came."""

    body: bytes
    request_id: str | int | None
    method: str | None
    params: dict[str, Any]
    wants_stream: bool
    """Whether the answer may be an event stream: progress was asked for, or the method is one."""

    @property
    def method_to_log(self) -> str | None:
        """The method if it looks like one of the protocol's: callers write what they like."""
        if self.method is None:
            return None
        return self.method if _LIKE_A_METHOD.fullmatch(self.method) else "other"

    @property
    def tool_name(self) -> str | None:
        """The tool that a ``tools/call`` names; None for every other message."""
        name = self.params.get("name") if self.method == "tools/call" else None
        return name if isinstance(name, str) else None


_LIKE_A_METHOD = re.compile(r"[a-z]{1,20}(?:/[A-Za-z_]{1,20}){0,2}")

_STREAMS_OF_THE_PROTOCOL = frozenset({"subscriptions/listen"})
"""Answered by a stream or not at all: as JSON the SDK would refuse the Accept header (406), where
the truth is that there is no such method here."""


async def read_message(scope: Scope, receive: Receive, *, bytes_max: int) -> IncomingMessage:
    """Read and check the message of a POST.

    Raises:
        UnsupportedMediaTypeError: the content type is not JSON (415).
        BodyTooLargeError: more than ``bytes_max`` bytes (413).
        MalformedMessageError: not JSON in UTF-8 (-32700).
        MessageRefusedError: JSON, but not one JSON-RPC message; batches too (-32600).
        ClientGoneError: the client left while it was sending.
    """
    _check_content_type(scope)
    body = await _read_body(scope, receive, bytes_max=bytes_max)
    document = _parse(body)
    message = _check_envelope(document)
    params = document.get("params")
    params = params if isinstance(params, dict) else {}
    method = getattr(message, "method", None)
    return IncomingMessage(
        body=body,
        request_id=message.id if isinstance(message, JSONRPCRequest) else None,
        method=method,
        params=params,
        wants_stream=method in _STREAMS_OF_THE_PROTOCOL
        or (_wants_progress(params) and _takes_event_stream(scope)),
    )


def _check_envelope(document: dict[str, Any]) -> JSONRPCMessage:
    try:
        message = jsonrpc_message_adapter.validate_python(document, by_name=False)
    except ValidationError:
        raise MessageRefusedError(_ENVELOPE_RULE) from None
    if isinstance(message, JSONRPCNotification) and "id" in document:
        # An id that is no id: its sender waits for an answer that a notification never gets.
        raise MessageRefusedError(_ENVELOPE_RULE)
    return message


def _check_content_type(scope: Scope) -> None:
    values = header_values(scope, b"content-type")
    if len(values) != 1 or values[0].split(";")[0].strip().lower() != _JSON_TYPE:
        raise UnsupportedMediaTypeError("Send the header Content-Type: application/json.")


async def _read_body(scope: Scope, receive: Receive, *, bytes_max: int) -> bytes:
    rule = f"Send at most {bytes_max} bytes."
    declared = header_values(scope, b"content-length")
    if declared and declared[0].isdecimal() and int(declared[0][:20]) > bytes_max:
        raise BodyTooLargeError(rule)
    body = bytearray()
    while True:
        event = await receive()
        if event["type"] != "http.request":
            raise ClientGoneError
        body += event.get("body", b"")
        if len(body) > bytes_max:
            raise BodyTooLargeError(rule)
        if not event.get("more_body", False):
            return bytes(body)


def _parse(body: bytes) -> dict[str, Any]:
    try:
        # Refuses what is not UTF-8, lone surrogates, and nesting deep enough to hurt.
        document = pydantic_core.from_json(body, allow_inf_nan=False)
    except ValueError:
        raise MalformedMessageError("Send one JSON object in UTF-8.") from None
    if isinstance(document, list):
        raise MessageRefusedError("Batches are not supported: send one message per request.")
    if not isinstance(document, dict):
        raise MessageRefusedError("Send one JSON-RPC message as a JSON object.")
    if b"\\u0000" in body and _holds_nul(document):
        # Postgres text cannot hold it, and no honest client sends it.
        raise MessageRefusedError("Send no NUL character in any text.")
    return document


def _holds_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(key) or _holds_nul(item) for key, item in value.items())
    return isinstance(value, list) and any(_holds_nul(item) for item in value)


def _wants_progress(params: dict[str, Any]) -> bool:
    meta = params.get("_meta")
    token = meta.get("progressToken") if isinstance(meta, dict) else None
    return isinstance(token, str | int) and not isinstance(token, bool)


def _takes_event_stream(scope: Scope) -> bool:
    accepted = ",".join(header_values(scope, b"accept")).split(",")
    return any(item.split(";")[0].strip().lower() in _EVENT_STREAM_TYPES for item in accepted)
