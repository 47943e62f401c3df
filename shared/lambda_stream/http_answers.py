"""Reads what a function with a URL answers, streamed or in one piece: the other end of ``answers``.

The shape of the bytes decides; which function it was does not matter.
"""

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.lambda_stream.http_events import PRELUDE_END


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An HTTP answer; header names are lower case."""

    status: int
    headers: dict[str, str]
    cookies: tuple[str, ...]
    body: bytes


def read_http_answer(raw: bytes) -> HttpAnswer:
    """The answer in the bytes with which an invocation ended.

    Raises:
        ValueError: they hold none.
    """
    prelude, end, body = raw.partition(PRELUDE_END)
    described = json.loads(prelude)
    if not isinstance(described, dict) or not isinstance(described.get("statusCode"), int):
        raise ValueError("no HTTP answer")  # noqa: TRY004 - bytes from outside, not an argument
    if end:
        return _answer(described, body)
    text = str(described.get("body") or "")
    encoded = bool(described.get("isBase64Encoded"))
    return _answer(described, base64.b64decode(text) if encoded else text.encode())


def _answer(described: Mapping[str, Any], body: bytes) -> HttpAnswer:
    headers = {name.lower(): str(text) for name, text in (described.get("headers") or {}).items()}
    cookies = tuple(str(cookie) for cookie in described.get("cookies") or ())
    return HttpAnswer(described["statusCode"], headers, cookies, body)
