"""What a function answered, in one shape, whichever way it was asked and however it answered.

It must not know any function: the shape of the bytes decides.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from shared.lambda_stream.http_answers import read_http_answer
from shared.lambda_stream.http_events import PRELUDE_END


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
    if PRELUDE_END in raw:
        return _http(raw)
    value = json.loads(raw)
    if isinstance(value, dict) and "statusCode" in value:
        return _http(raw)
    if isinstance(value, dict) and "errorType" in value:
        return FunctionAnswer(error=str(value["errorType"]))
    return FunctionAnswer(result=value)


def _http(raw: bytes) -> FunctionAnswer:
    answer = read_http_answer(raw)
    return FunctionAnswer(answer.status, answer.headers, answer.cookies, answer.body)
