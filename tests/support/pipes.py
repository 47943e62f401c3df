"""Two named pipes between a test and a function: `started` out of it, `go_on` into it."""

import asyncio
import os
from pathlib import Path
from types import TracebackType
from typing import Self

WAIT_SECONDS_MAX = 30.0


class Pipes:
    """Lets a test know where a function is, and hold it there; `async with` opens them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._started = asyncio.StreamReader()

    async def __aenter__(self) -> Self:
        for name in ("started", "go_on"):
            os.mkfifo(self.folder / name)
        # Opened for both directions, so that neither side ever waits for the other to open.
        started = os.fdopen(os.open(self.folder / "started", os.O_RDWR | os.O_NONBLOCK), "rb")
        self._go_on = os.open(self.folder / "go_on", os.O_RDWR | os.O_NONBLOCK)
        protocol = asyncio.StreamReaderProtocol(self._started)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(lambda: protocol, started)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._transport.close()
        os.close(self._go_on)

    async def started(self) -> int:
        """Wait until a function has started; its process id."""
        return int(await asyncio.wait_for(self._started.readline(), WAIT_SECONDS_MAX))

    def go_on(self) -> None:
        """Let one waiting function go on."""
        os.write(self._go_on, b"\n")
