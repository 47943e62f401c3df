"""One made-up request and its answer, sent as it is: no client library tidies it up.

It must never reach anything but the stack that it was pointed at.
"""

import http.client
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Self
from urllib.parse import urlsplit

DEADLINE_SECONDS: Final = 10.0
"""Longer than anything here may take: nothing that a door waits for is made to hang."""
_SHOWN_BYTES: Final = 400

HeaderLines = tuple[tuple[bytes, bytes], ...]


class NoAnswerError(Exception):
    """No answer within the deadline, or a connection that was closed instead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What is sent."""

    method: str
    target: str
    """Path and query, in ASCII without spaces."""
    headers: HeaderLines = ()
    body: bytes = field(default=b"", repr=False)

    def __str__(self) -> str:
        """What somebody needs to send it again; tokens of a stack that is gone are no secret."""
        lines = [f"{name.decode('latin-1')}: {value!r}" for name, value in self.headers]
        return "\n    ".join([f"{self.method} {self.target[:_SHOWN_BYTES]}", *lines, self._shown()])

    def _shown(self) -> str:
        more = len(self.body) - _SHOWN_BYTES
        return f"{self.body[:_SHOWN_BYTES]!r}{f' and {more} bytes more' if more > 0 else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes = field(repr=False)
    seconds: float
    is_head: bool
    """Of a HEAD: it has headers only."""

    @property
    def media_type(self) -> str:
        """The content type without parameters."""
        return self.headers.get("content-type", "").split(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as text, whatever it is."""
        return self.body.decode("utf-8", "replace")


class Door:
    """A connection to one of the doors, kept open from request to request."""

    def __init__(self, url: str) -> None:
        self._address = urlsplit(url).netloc
        self._connection = self._new_connection()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._connection.close()

    def send(self, request: Request) -> Answer:
        """Send it, and read the whole answer.

        Raises:
            NoAnswerError: there was none in time.
        """
        began = time.monotonic()
        try:
            return self._send(request, began)
        except (OSError, http.client.HTTPException) as error:
            seconds = time.monotonic() - began
            self._connection.close()
            self._connection = self._new_connection()
            raise NoAnswerError(f"{type(error).__name__} after {seconds:.1f} s") from error

    def _send(self, request: Request, began: float) -> Answer:
        connection = self._connection
        connection.putrequest(
            request.method, request.target, skip_host=True, skip_accept_encoding=True
        )
        named = {name.lower() for name, _ in request.headers}
        if b"host" not in named:
            connection.putheader("Host", self._address)
        if b"content-length" not in named and (request.body or request.method == "POST"):
            connection.putheader("Content-Length", str(len(request.body)))
        for name, value in request.headers:
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        answer = connection.getresponse()
        headers = {name.lower(): value for name, value in answer.getheaders()}
        body = answer.read()
        return Answer(
            status=answer.status,
            headers=headers,
            body=body,
            seconds=time.monotonic() - began,
            is_head=request.method == "HEAD",
        )

    def _new_connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection(self._address, timeout=DEADLINE_SECONDS)
