"""HTTP requests into payload format 2.0, and what a function answers into HTTP heads.

Pure translation, as the platform does it; it must not depend on a connection.
"""

import base64
import json
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from scripts.lambda_emulator.http_connection import RequestHead

PRELUDE_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8

_CHALLENGE = "www-authenticate"
_REMAPPED_CHALLENGE = "x-amzn-remapped-www-authenticate"
_NOT_FORWARDED = frozenset({"connection", "transfer-encoding", "keep-alive", "upgrade", "date"})
_TEXT_TYPES = ("text/", "application/json", "application/javascript", "application/xml")


@dataclass(frozen=True)
class Caller:
    """Who asks, and under which address."""

    address: str
    host: str
    port: int


@dataclass(frozen=True)
class UrlAnswer:
    """Status, headers and (the beginning of) a body."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes = b""


def request_event(request: RequestHead, body: bytes, caller: Caller) -> dict[str, Any]:
    """The event a Function URL makes of a request."""
    raw_path, _, query = request.target.partition("?")
    headers, cookies = _joined(request.headers)
    now = time.time()
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path or "/",
        "rawQueryString": query,
        "headers": {
            **headers,
            "x-forwarded-for": caller.address,
            "x-forwarded-proto": "http",
            "x-forwarded-port": str(caller.port),
        },
        "requestContext": {
            "accountId": "anonymous",
            "apiId": "local",
            "domainName": caller.host,
            "domainPrefix": "local",
            "http": {
                "method": request.method,
                "path": raw_path or "/",
                "protocol": "HTTP/1.1",
                "sourceIp": caller.address,
                "userAgent": headers.get("user-agent", ""),
            },
            "routeKey": "$default",
            "stage": "$default",
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    return event | _body_fields(headers.get("content-type", ""), body)


def buffered_answer(result: bytes) -> UrlAnswer:
    """The answer that a function's return value describes.

    Raises:
        ValueError: the value is not JSON or not well formed.
    """
    value = json.loads(result)
    if not isinstance(value, dict) or "statusCode" not in value:
        return UrlAnswer(200, [("content-type", "application/json")], result)
    text = value.get("body") or ""
    text = text if isinstance(text, str) else json.dumps(text)
    body = base64.b64decode(text) if value.get("isBase64Encoded") else text.encode()
    return _described(value, body)


def streamed_answer(prelude: bytes, body: bytes) -> UrlAnswer:
    """The answer that a stream's prelude describes, with the bytes that came with it.

    Raises:
        ValueError: the prelude is not a JSON object.
    """
    value = json.loads(prelude)
    if not isinstance(value, dict):
        raise ValueError("prelude")  # noqa: TRY004 - wrong content, not a wrong type of argument
    return _described(value, body)


def with_challenge_renamed(answer: UrlAnswer) -> UrlAnswer:
    """The answer with its challenge header under the name that Function URLs give it."""
    headers = [
        (_REMAPPED_CHALLENGE if name == _CHALLENGE else name, value)
        for name, value in answer.headers
    ]
    return UrlAnswer(answer.status, headers, answer.body)


def _described(value: dict[str, Any], body: bytes) -> UrlAnswer:
    headers = [
        (name.lower(), str(text))
        for name, text in (value.get("headers") or {}).items()
        if name.lower() not in _NOT_FORWARDED
    ]
    if not any(name == "content-type" for name, _ in headers):
        headers.append(("content-type", "application/json"))
    cookies = [("set-cookie", str(cookie)) for cookie in value.get("cookies") or ()]
    return UrlAnswer(int(value.get("statusCode", 200)), headers + cookies, body)


def _joined(raw: Iterable[tuple[bytes, bytes]]) -> tuple[dict[str, str], list[str]]:
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for raw_name, raw_value in raw:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";")]
        elif name not in _NOT_FORWARDED:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, cookies


def _body_fields(content_type: str, body: bytes) -> dict[str, Any]:
    if not body:
        return {}
    is_text = content_type.startswith(_TEXT_TYPES) or "+json" in content_type
    try:
        if is_text:
            return {"body": body.decode("utf-8")}
    except UnicodeDecodeError:
        pass
    return {"body": base64.b64encode(body).decode("ascii"), "isBase64Encoded": True}
