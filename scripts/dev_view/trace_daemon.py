"""The X-Ray daemon of this machine: takes trace documents over UDP (X-Ray daemon, "segments").

A document that makes no sense is counted and dropped: senders wait for nobody.
"""

import asyncio
import json
from collections.abc import Callable, Mapping
from typing import Any, Final

HEADER: Final = b'{"format": "json", "version": 1}\n'
DOCUMENT_BYTES_MAX: Final = 65_536

Take = Callable[[Mapping[str, Any]], None]


class TraceDaemon(asyncio.DatagramProtocol):
    """Listens on loopback from ``listen`` to ``close``."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._transport: asyncio.DatagramTransport | None = None
        self.dropped = 0

    async def listen(self) -> str:
        """Start; the address, as ``AWS_XRAY_DAEMON_ADDRESS`` has it."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        host, port = self._transport.get_extra_info("sockname")
        return f"{host}:{port}"

    def close(self) -> None:
        """Stop."""
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, addr: tuple[str | Any, int]) -> None:  # noqa: ARG002 - asyncio's signature
        """Take one document in."""
        _, _, body = data[:DOCUMENT_BYTES_MAX].partition(b"\n")
        try:
            document = json.loads(body)
            self._take(document)
        except (ValueError, KeyError, TypeError, AttributeError):
            self.dropped += 1
