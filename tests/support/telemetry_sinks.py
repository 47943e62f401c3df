"""Receivers of what leaves a process beside its answers: Sentry envelopes, OTLP, X-Ray documents.

They take everything and keep it whole, so that a test can look for what must not be in it.
"""

import gzip
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_DATAGRAM_BYTES_MAX = 65_536
_LOOK_SECONDS = 0.2


@dataclass
class HttpSink:
    """Keeps the bodies of all POSTs by path; ``status`` is what it answers."""

    url: str = ""
    status: int = 200
    received: list[tuple[str, bytes]] = field(default_factory=list)

    def bodies(self, path_end: str) -> list[bytes]:
        """What was sent to addresses that end so."""
        return [body for path, body in self.received if path.endswith(path_end)]

    @property
    def sentry_dsn(self) -> str:
        """A DSN that leads here."""
        return self.url.replace("://", "://public@") + "/1"

    @property
    def otlp_traces_url(self) -> str:
        """Where a collector would take traces."""
        return f"{self.url}/v1/traces"


@contextmanager
def http_sink() -> Iterator[HttpSink]:
    """A sink on a free port of this machine."""
    sink = HttpSink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            if self.headers.get("content-encoding") == "gzip":
                body = gzip.decompress(body)
            sink.received.append((self.path, body))
            self.send_response(sink.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    sink.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@dataclass
class XrayDaemon:
    """What an X-Ray daemon would have been sent, header line and document."""

    socket: socket.socket

    @property
    def address(self) -> str:
        """For ``AWS_XRAY_DAEMON_ADDRESS``."""
        return f"127.0.0.1:{self.socket.getsockname()[1]}"

    def received(self) -> list[bytes]:
        """The documents so far, and no longer kept."""
        documents = []
        self.socket.settimeout(_LOOK_SECONDS)
        try:
            while True:
                documents.append(self.socket.recv(_DATAGRAM_BYTES_MAX).split(b"\n", 1)[1])
        except TimeoutError:
            return documents


@contextmanager
def xray_daemon() -> Iterator[XrayDaemon]:
    """A daemon on a free port of this machine."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 * 1024 * 1024)
        receiver.bind(("127.0.0.1", 0))
        yield XrayDaemon(receiver)
