"""Receivers of traces and crash reports that answer at once and keep nothing but their number.

In a process of their own, so that what they do is not taken for what the function does.
"""

import contextlib
import json
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Final

import httpx2

_DATAGRAM_BYTES_MAX: Final = 65_536
_COUNT_SECONDS_MAX: Final = 5.0


@dataclass(frozen=True)
class Receivers:
    """Where they listen."""

    http_port: int
    xray_address: str

    @property
    def sentry_dsn(self) -> str:
        """A DSN that leads to them."""
        return f"http://public@127.0.0.1:{self.http_port}/1"

    @property
    def otlp_traces_url(self) -> str:
        """Where a collector would take traces."""
        return f"http://127.0.0.1:{self.http_port}/v1/traces"

    def received(self) -> dict[str, int]:
        """How much came so far: X-Ray documents, and requests by the end of their path."""
        answer = httpx2.get(f"http://127.0.0.1:{self.http_port}/", timeout=_COUNT_SECONDS_MAX)
        counts: dict[str, int] = answer.raise_for_status().json()
        return counts


@contextlib.contextmanager
def quiet_receivers() -> Iterator[Receivers]:
    """Both, on free ports of this machine; they end when their input does."""
    with subprocess.Popen(
        [sys.executable, "-m", __name__],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        if process.stdout is None or process.stdin is None:
            raise RuntimeError("no pipes")
        told = json.loads(process.stdout.readline())
        try:
            yield Receivers(told["http_port"], told["xray_address"])
        finally:
            process.stdin.close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    counts: Final[dict[str, int]] = {"documents": 0, "envelope": 0, "traces": 0}

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["content-length"]))
        self.counts[self.path.rstrip("/").rpartition("/")[2]] += 1
        self._answer(b"")

    def do_GET(self) -> None:
        """Tell how much came."""
        self._answer(json.dumps(self.counts).encode())

    def _answer(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base's name
        """Say nothing."""


def _count_documents(daemon: socket.socket) -> None:
    while True:
        daemon.recv(_DATAGRAM_BYTES_MAX)
        _Handler.counts["documents"] += 1


def _receive() -> None:
    daemon = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    daemon.bind(("127.0.0.1", 0))
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    for target, arguments in ((_count_documents, (daemon,)), (server.serve_forever, ())):
        threading.Thread(target=target, args=arguments, daemon=True).start()
    address = f"127.0.0.1:{daemon.getsockname()[1]}"
    print(json.dumps({"http_port": server.server_port, "xray_address": address}), flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    _receive()
