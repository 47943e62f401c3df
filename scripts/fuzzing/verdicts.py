"""Judges one answer: of the catalogue, in time, and with nothing in it that is not for callers.

Knows nothing of the request, so that no request excuses an answer.
"""

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, Final

from scripts.fuzzing.exchange import DEADLINE_SECONDS, Answer
from shared.errors.catalogue import CATALOGUE, ErrorCode

CORRELATION_HEADER: Final = "x-correlation-id"
"""Every answer of a function has it; what has not was refused by the front."""

_SECRET_TEXTS: Final = {
    "a stack trace": r'Traceback \(most recent|File "[^"]+", line \d|\.py", line \d',
    "a driver's text": r"psycopg|sqlstate|pydantic|botocore|httpx2?\.|validation error for",
    "SQL": r"\bapp\.[a-z_]+\b.{0,40}\bWHERE\b|\bSELECT\b.{1,60}\bFROM\b|relation \"|violates ",
    "text of the site's faults": (
        r"The website encountered an unexpected error|Something is broken\.|Just a moment\.\.\."
        r"|currently under maintenance|core/install\.php|Access token has been revoked|slow down"
    ),
}
_FORBIDDEN: Final = {
    what: re.compile(pattern, re.IGNORECASE) for what, pattern in _SECRET_TEXTS.items()
}
# The protocol's own errors are worded by the SDK, in fixed texts, and carry no code of ours.
_PROTOCOL_TEXTS: Final = re.compile(
    r"Method not found|Invalid request parameters|Unsupported protocol version"
    r"|params\._meta (must be an object|is missing) .{0,160}"
    r"|the protocol-version envelope value must be a string"
    r"|(mcp|Mcp|MCP)-[A-Za-z-]+ header (appears more than once|does not match the request .{0,60})"
)
_PROTOCOL_CODES: Final = frozenset({-32601, -32602, -32001, -32004, -32020, -32021, -32022})
_CODES: Final = frozenset(code.value for code in ErrorCode)
_MESSAGES: Final = frozenset(entry.message for entry in CATALOGUE.values())
_JSON_TYPES: Final = frozenset({"application/json", "application/problem+json"})


def complaints(answer: Answer) -> Iterator[str]:
    """What is wrong with ``answer``; nothing where all is well."""
    if answer.seconds > DEADLINE_SECONDS:
        yield f"took {answer.seconds:.1f} s"
    if CORRELATION_HEADER not in answer.headers:
        if answer.status >= 500:
            yield "answered by the front with a fault"
        return
    told = "\n".join([answer.text, *(f"{k}: {v}" for k, v in answer.headers.items())])
    for what, pattern in _FORBIDDEN.items():
        found = pattern.search(told)
        if found is not None:
            yield f"holds {what}: {found[0]!r}"
    yield from _of_the_catalogue(answer)


def code_of(answer: Answer) -> str | None:
    """The catalogue's code that an answer in JSON or as an event carries."""
    for document in documents(answer):
        code = _code_in(document)
        if code is not None:
            return code
    return None


def documents(answer: Answer) -> list[Any]:
    """The JSON documents in the body: one, or one for each event of a stream."""
    if answer.media_type in _JSON_TYPES:
        return _parsed([answer.text])
    if answer.media_type == "text/event-stream":
        lines = [line[5:] for line in answer.text.splitlines() if line.startswith("data:")]
        return _parsed([line for line in lines if line.strip()])
    return []


def _parsed(texts: list[str]) -> list[Any]:
    try:
        return [json.loads(text) for text in texts]
    except ValueError:
        return []


def _code_in(document: Any) -> str | None:
    match document:
        case {"error": {"data": {"code": str(code)}}}:
            return code
        case {"result": {"isError": True, "structuredContent": {"error": {"code": str(code)}}}}:
            return code
        case {"code": str(code)}:
            return code
        case _:
            return None


def _of_the_catalogue(answer: Answer) -> Iterator[str]:
    code = code_of(answer)
    if code is not None and code not in _CODES:
        yield f"names a code that the catalogue does not have: {code}"
    if answer.status >= 500 and not _is_known_outage(answer, code):
        yield f"status {answer.status}, code {code}"
    if (
        _is_error(answer)
        and code is None
        and not (_is_known_page(answer) or _is_of_the_protocol(answer))
    ):
        yield f"is an error without a code of the catalogue: {answer.text[:200]!r}"


def _is_error(answer: Answer) -> bool:
    if answer.is_head:
        return False  # nothing to read there
    if answer.status >= 400:
        return True
    return any(isinstance(one, dict) and "error" in one for one in documents(answer))


def _is_of_the_protocol(answer: Answer) -> bool:
    match documents(answer)[-1:]:
        case [{"error": {"code": int(code), "message": str(message)}}]:
            return code in _PROTOCOL_CODES and bool(_PROTOCOL_TEXTS.fullmatch(message))
        case _:
            return False


def _is_known_outage(answer: Answer, code: str | None) -> bool:
    if answer.status != 503 or "retry-after" not in answer.headers:
        return False
    if answer.is_head:
        return True
    if code is None:
        return _is_known_page(answer)
    return code in _CODES and CATALOGUE[ErrorCode(code)].http_status == 503


def _is_known_page(answer: Answer) -> bool:
    if answer.media_type != "text/html":
        return False
    text = unescape(answer.text)
    return any(message in text for message in _MESSAGES)
