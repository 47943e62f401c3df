"""A Runtime API that records, byte for byte, one streamed answer per connection.

Runs in a thread, because a handler blocks the thread that calls it.
"""

import re
import socket
import threading
from types import TracebackType
from typing import Self

WAIT_SECONDS_MAX = 10.0
_END = re.compile(rb"\r\n0\r\n(?:[^\r\n]+\r\n)*\r\n\Z")
_READ_BYTES = 65_536


class RecordingRuntimeApi:
    """Answers every request with `status`; `status` 0 drops the connection after the head."""

    def __init__(self, status: int = 202) -> None:
        self._status = status
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._received = bytearray()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(WAIT_SECONDS_MAX)
        self._listener.close()

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._listener.getsockname()[1]}"

    @property
    def head(self) -> str:
        """The last request's head."""
        return bytes(self._received).partition(b"\r\n\r\n")[0].decode()

    @property
    def chunks(self) -> list[bytes]:
        """The last request's chunks, without the one that ends it."""
        return self._parsed()[0]

    @property
    def trailers(self) -> dict[str, str]:
        """What followed the last chunk."""
        lines = self._parsed()[1].decode().split("\r\n")
        return dict(line.split(": ", 1) for line in lines if line)

    def _parsed(self) -> tuple[list[bytes], bytes]:
        rest = bytes(self._received).partition(b"\r\n\r\n")[2]
        chunks: list[bytes] = []
        while True:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            if not length:
                return chunks, rest
            chunks.append(rest[:length])
            rest = rest[length + 2 :]

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                self._record(connection)

    def _record(self, connection: socket.socket) -> None:
        self._received = bytearray()
        while not _END.search(self._received):
            data = connection.recv(_READ_BYTES)
            if not data or not self._status:
                return
            self._received += data
        connection.sendall(b"HTTP/1.1 %d Status\r\nContent-Length: 0\r\n\r\n" % self._status)
