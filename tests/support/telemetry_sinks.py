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
    """What an X-Ray daemon would have been sent: documents without their header lines."""

    address: str
    """For ``AWS_XRAY_DAEMON_ADDRESS``."""
    received: list[bytes] = field(default_factory=list)


@contextmanager
def xray_daemon() -> Iterator[XrayDaemon]:
    """A daemon on a free port of this machine; on leaving, all that came has been received."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver:
        receiver.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{receiver.getsockname()[1]}"
        daemon = XrayDaemon(address)

        def receive() -> None:
            while datagram := receiver.recv(_DATAGRAM_BYTES_MAX):
                daemon.received.append(datagram.split(b"\n", 1)[1])

        thread = threading.Thread(target=receive, daemon=True)
        thread.start()
        try:
            yield daemon
        finally:
            # The last in line: whatever was sent before is read before.
            receiver.sendto(b"", receiver.getsockname())
            thread.join()
