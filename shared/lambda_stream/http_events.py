"""Function URL events (payload format 2.0) into ASGI requests, and ASGI answers into their shapes.

Pure translation: it must not look at what a request means.
"""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

Event = Mapping[str, Any]

PRELUDE_CONTENT_TYPE = "application/vnd.awslambda.http-integration-response"
PRELUDE_END = b"\0" * 8

_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
_BODYLESS_STATUS = frozenset({204, 304})
_PORT_OF_SCHEME = {"http": 80, "https": 443}


@dataclass(frozen=True)
class ResponseHead:
    """Status and headers of an answer, before any byte of its body."""

    status: int
    headers: tuple[tuple[str, str], ...]
    """Names in lower case, values as sent; without cookies and hop-by-hop headers."""
    cookies: tuple[str, ...]

    @classmethod
    def from_asgi(cls, message: Mapping[str, Any]) -> "ResponseHead":
        """The head that an ``http.response.start`` message describes."""
        headers, cookies = [], []
        for raw_name, raw_value in message.get("headers", ()):
            name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
            if name == "set-cookie":
                cookies.append(value)
            elif name not in _HOP_BY_HOP:
                headers.append((name, value))
        return cls(message["status"], tuple(headers), tuple(cookies))

    def allows_body(self, method: str) -> bool:
        """Whether HTTP lets this answer carry bytes (RFC 9110 section 6.4.1)."""
        return method != "HEAD" and self.status >= 200 and self.status not in _BODYLESS_STATUS

    def without(self, name: str) -> "ResponseHead":
        """The same head without the header ``name``."""
        kept = tuple(header for header in self.headers if header[0] != name)
        return ResponseHead(self.status, kept, self.cookies)

    def header(self, name: str) -> str | None:
        """The first value of the header ``name`` (lower case)."""
        return next((value for key, value in self.headers if key == name), None)

    def as_payload(self) -> dict[str, Any]:
        """The JSON object that the platform reads: headers are a flat map, cookies a list."""
        payload: dict[str, Any] = {"statusCode": self.status, "headers": _flat(self.headers)}
        if self.cookies:
            payload["cookies"] = list(self.cookies)
        return payload

    def as_prelude(self) -> bytes:
        """What precedes the body of a streamed answer."""
        return json.dumps(self.as_payload()).encode() + PRELUDE_END


def request_body(event: Event) -> bytes:
    """The bytes of the request's body."""
    body: str = event.get("body") or ""
    return base64.b64decode(body) if event.get("isBase64Encoded") else body.encode()


def asgi_scope(event: Event, *, context: object, state: dict[str, Any]) -> dict[str, Any]:
    """The ASGI scope of the request; the event and the context ride along as ``aws.*``."""
    http = event["requestContext"]["http"]
    headers = {name.lower(): value for name, value in (event.get("headers") or {}).items()}
    if event.get("cookies"):
        headers["cookie"] = "; ".join(event["cookies"])
    raw_path: str = event.get("rawPath") or http["path"]
    scheme = headers.get("x-forwarded-proto", "https")
    return {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.4"},
        "http_version": "1.1",
        "method": http["method"],
        "scheme": scheme,
        "path": unquote(raw_path),
        "raw_path": raw_path.encode("utf-8"),
        "root_path": "",
        "query_string": event.get("rawQueryString", "").encode("utf-8"),
        "headers": [(_octets(name), _octets(value)) for name, value in headers.items()],
        "client": (http["sourceIp"], 0),
        "server": _server(headers, scheme),
        "state": state,
        "aws.event": event,
        "aws.context": context,
    }


def buffered_answer(head: ResponseHead, body: bytes) -> dict[str, Any]:
    """The whole answer as one object, for a function whose URL buffers."""
    try:
        text, is_base64 = body.decode("utf-8"), False
    except UnicodeDecodeError:
        text, is_base64 = base64.b64encode(body).decode("ascii"), True
    return {**head.as_payload(), "body": text, "isBase64Encoded": is_base64}


def _flat(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in headers:
        flat[name] = f"{flat[name]}, {value}" if name in flat else value
    return flat


def _octets(text: str) -> bytes:
    """A header's text as bytes: callers send other characters than HTTP knows, too."""
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:
        return text.encode("utf-8", "replace")


def _server(headers: Mapping[str, str], scheme: str) -> tuple[str, int]:
    host, _, port = headers.get("host", "localhost").partition(":")
    given = port or headers.get("x-forwarded-port", "")
    is_port = given.isascii() and given.isdigit()
    return host, int(given) if is_port else _PORT_OF_SCHEME.get(scheme, 443)
