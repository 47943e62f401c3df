"""Removes secrets from anything on its way out: log lines, crash reports, error details.

It must never let through a value merely because it does not know the shape of the container.
"""

import functools
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

REDACTED = "[redacted]"
DEPTH_MAX = 12
ITEMS_MAX = 200
TEXT_CHARACTERS_MAX = 16_384
_READ_CHARACTERS_MAX = 4 * TEXT_CHARACTERS_MAX
"""What comes after is not even read: the cost of a hostile text stays bounded."""

_KNOWN_CODES = frozenset(code.value for code in ErrorCode)
_SECRET_KEYS = frozenset(
    {
        "access_token",
        "api_key",
        "assertion",
        "authorization",
        "ciphertext",
        "client_assertion",
        "client_secret",
        "client_state",
        "code",
        "code_verifier",
        "consent",
        "cookie",
        "cookies",
        "database_url",
        "dsn",
        "id_token",
        "pass",
        "passwd",
        "password",
        "plain",
        "private_key",
        "proxy_authorization",
        "pwd",
        "refresh_token",
        "salt",
        "secret",
        "sentry_dsn",
        "set_cookie",
        "state",
        "token",
        "user_salt",
        "verifier",
        "x_amz_security_token",
    }
)
_SECRET_ENDINGS = ("_token", "_secret", "_password", "_cookie", "_verifier", "_authorization")

_NAMES = (
    r"(?:access_token|refresh_token|id_token|token|client_secret|secret|code_verifier|code|"
    r"client_state|state|client_assertion|assertion|password|passwd|consent|api_key)"
)
_TOKEN = re.compile(r"dmcp_(?:at|rt|ac|st|bb|cs|as|av|af)_[A-Za-z0-9_-]{4,}")
_JWT = re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}")
_UPSTREAM_TOKEN = re.compile(r"def50200[0-9a-f]{4,}", re.IGNORECASE)
_SCHEME_VALUE = re.compile(
    r"\b(bearer|basic|dpop)(\s+|%20|\+)[A-Za-z0-9._~+/=%-]{6,}", re.IGNORECASE
)
_HEADER_LINE = re.compile(
    r"(?<![a-z0-9])((?:proxy-)?authorization|(?:set-)?cookie)(\\{0,8}[\"']?\s*[:=,]\s*)"
    r"(b?\\{0,8}[\"']?)"
    r"[^\r\n\"']+",
    re.IGNORECASE,
)
_COOKIE_PAIR = re.compile(
    r"(__(?:host|secure)-[\w.-]+|S?SESS[0-9a-f]{6,})(=|%3D)[^;\s\"',]+", re.IGNORECASE
)
_QUERY_VALUE = re.compile(
    # A name begins where no name goes on, or behind a percent-encoded ?, & or blank.
    r"(?:(?<![a-z0-9_-])|(?<=3F)|(?<=26)|(?<=20))(" + _NAMES + r")(=|%(?:25){0,3}3D)"
    r"(?!\[redacted)(?:(?!%(?:25){0,3}26)[^&\s\"'<>#;,)])+",
    re.IGNORECASE,
)
_QUOTED_VALUE = re.compile(
    r"([\"'])(" + _NAMES + r")(\\{0,8}[\"']\s*[:,]\s*b?\\{0,8}[\"'])([^\"'\\]+)", re.IGNORECASE
)
_USER_INFO = re.compile(r"(://)[^/\s:@\"']*:[^/\s@\"']+@")
_SUSPICIOUS_WORDS = (
    *("dmcp_", "eyj", "def50200", "bearer", "basic", "dpop", "authorization", "cookie", "sess"),
    *("__host-", "__secure-", "token", "secret", "code", "state", "assertion", "password"),
    *("passwd", "consent", "api_key", "://"),
)
"""Every pattern above needs one of these, in any case; most texts hold none."""
_NAMES_REMEMBERED_MAX = 1024
_SHORT_NAME_CHARACTERS_MAX = 64


def _quoted(match: re.Match[str]) -> str:
    value = match[4] if match[4] in _KNOWN_CODES else REDACTED
    return f"{match[1]}{match[2]}{match[3]}{value}"


def _is_suspicious(text: str) -> bool:
    """Whether a pattern can match at all; other alphabets hold letters that match ours."""
    lowered = text.lower()
    return not text.isascii() or any(word in lowered for word in _SUSPICIOUS_WORDS)


def redact_text(text: str) -> str:
    """``text`` without tokens, credentials and secret query values; at most 16,384 characters."""
    length = len(text)
    if length <= TEXT_CHARACTERS_MAX and not _is_suspicious(text):
        return text
    text = text[:_READ_CHARACTERS_MAX]
    text = _TOKEN.sub(REDACTED, text)
    text = _JWT.sub(REDACTED, text)
    text = _UPSTREAM_TOKEN.sub(REDACTED, text)
    text = _HEADER_LINE.sub(rf"\1\2\3{REDACTED}", text)
    text = _SCHEME_VALUE.sub(rf"\1 {REDACTED}", text)
    text = _COOKIE_PAIR.sub(rf"\1\2{REDACTED}", text)
    text = _QUERY_VALUE.sub(rf"\1\2{REDACTED}", text)
    text = _QUOTED_VALUE.sub(_quoted, text)
    text = _USER_INFO.sub(rf"\1{REDACTED}@", text)
    if max(len(text), length // 4) <= TEXT_CHARACTERS_MAX:
        return text
    return f"{text[:TEXT_CHARACTERS_MAX]}… [of {length} characters]"


def is_secret_key(key: str) -> bool:
    """Whether what stands under ``key`` is a secret by its name alone."""
    name = key.strip().lower().replace("-", "_")
    return (
        name in _SECRET_KEYS
        or name.endswith(_SECRET_ENDINGS)
        or name.startswith(("__host_", "__secure_"))
    )


def redact(value: object, *, depth: int = 0) -> object:
    """A copy of ``value`` made of JSON types, with every secret replaced.

    Unknown objects become their redacted text; exceptions become their type and catalogue facts,
    because their text may quote what somebody sent.
    """
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if depth >= DEPTH_MAX:
        return "[too deep]"
    for kinds, redact_kind in _BY_KIND:
        if isinstance(value, kinds):
            return redact_kind(value, depth)
    if is_dataclass(value) and not isinstance(value, type):
        shown = {each.name: getattr(value, each.name) for each in fields(value) if each.repr}
        return _redact_mapping(shown, depth)
    return redact_text(str(value))


def _redact_text_like(value: Any, depth: int) -> object:
    return redact(value.value, depth=depth) if isinstance(value, Enum) else redact_text(value)


def _redact_bytes(value: Any, depth: int) -> object:
    del depth
    return redact_text(bytes(value).decode("utf-8", "backslashreplace"))


def _redact_mapping(value: Any, depth: int) -> object:
    clean: dict[str, object] = {}
    for key, item in list(value.items())[:ITEMS_MAX]:
        name = key.decode("latin-1") if isinstance(key, bytes) else str(key)
        judge = _judged_short_name if len(name) <= _SHORT_NAME_CHARACTERS_MAX else _judged_name
        shown, is_secret = judge(name)
        clean[shown] = _redact_member(item, depth, is_secret=is_secret)
    return clean


def _redact_member(item: object, depth: int, *, is_secret: bool) -> object:
    if not is_secret or item is None or isinstance(item, bool | int | float):
        return redact(item, depth=depth + 1)
    if isinstance(item, str) and item in _KNOWN_CODES:
        return str(item)
    return REDACTED


def _judged_name(name: str) -> tuple[str, bool]:
    """A name as it may be shown, and whether what stands under it is secret by its name alone."""
    return redact_text(name), is_secret_key(name)


_judged_short_name = functools.lru_cache(maxsize=_NAMES_REMEMBERED_MAX)(_judged_name)
"""The same few names stand in every log line."""


def _redact_items(value: Any, depth: int) -> object:
    items = list(value)[:ITEMS_MAX]
    if isinstance(value, list | tuple) and len(items) == 2 and _is_secret_name(items[0]):
        # A header or form field as a pair, the way ASGI and urllib hand them over.
        return [redact(items[0], depth=depth + 1), REDACTED]
    return [redact(item, depth=depth + 1) for item in items]


def _is_secret_name(value: object) -> bool:
    if isinstance(value, bytes):
        return is_secret_key(value.decode("latin-1"))
    return isinstance(value, str) and is_secret_key(value)


def _redact_exception(value: Any, depth: int) -> object:
    if isinstance(value, ServiceError):
        facts = redact(value.facts, depth=depth + 1)
        return {"type": type(value).__name__, "error_code": value.code.value, "facts": facts}
    return {"type": type(value).__name__}


_BY_KIND: tuple[tuple[type | tuple[type, ...], Callable[[Any, int], object]], ...] = (
    ((str, Enum), _redact_text_like),
    ((bytes, bytearray, memoryview), _redact_bytes),
    (Mapping, _redact_mapping),
    ((list, tuple, set, frozenset), _redact_items),
    (BaseException, _redact_exception),
)
