"""What a function answered, in one shape, whichever way it was asked and however it answered.

It must not know any function: the shape of the bytes decides.
"""

import base64
import json
from dataclasses import dataclass, field
from typing import Any, Final

PRELUDE_END: Final = b"\0" * 8


@dataclass(frozen=True)
class FunctionAnswer:
    """An HTTP answer, a plain result, or the type of the error that the function raised."""

    status: int | None = None
    headers: dict[str, str] = field(default_factory=dict)
    cookies: tuple[str, ...] = ()
    body: bytes = b""
    result: Any = None
    error: str | None = None


def read_answer(raw: bytes) -> FunctionAnswer:
    """Read the bytes with which an invocation ended.

    Raises:
        ValueError: they are neither JSON nor a stream with a prelude.
    """
    prelude, end, body = raw.partition(PRELUDE_END)
    if end:
        return _http(json.loads(prelude), body)
    value = json.loads(raw)
    if isinstance(value, dict) and "statusCode" in value:
        text = str(value.get("body") or "")
        encoded = bool(value.get("isBase64Encoded"))
        return _http(value, base64.b64decode(text) if encoded else text.encode())
    if isinstance(value, dict) and "errorType" in value:
        return FunctionAnswer(error=str(value["errorType"]))
    return FunctionAnswer(result=value)


def _http(described: dict[str, Any], body: bytes) -> FunctionAnswer:
    headers = {name.lower(): str(text) for name, text in (described.get("headers") or {}).items()}
    cookies = tuple(str(cookie) for cookie in described.get("cookies") or ())
    return FunctionAnswer(int(described["statusCode"]), headers, cookies, body)
