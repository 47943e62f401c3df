"""A stack that is looked at: collects what its functions say, and serves the page that shows it.

Ends with the stack. Nothing of it may hold up or change what the functions do.
"""

import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from scripts.artifacts.build import LOGICAL_IDS
from scripts.dev_view.collector import Collector
from scripts.dev_view.database_facts import DatabaseFacts
from scripts.dev_view.log_tail import LogTail
from scripts.dev_view.page import Sources
from scripts.dev_view.platform_metrics import PlatformMetrics
from scripts.dev_view.server import ViewServer
from scripts.dev_view.ticks import TickBook

QUEUE_LOOK_SECONDS: Final = 10.0
_LENGTH: Final = "ApproximateNumberOfMessages"


class Watching:
    """Made before the functions start, so that their first lines are seen."""

    def __init__(self, logs: Path) -> None:
        files = {function: logs / f"{function}.log" for function in LOGICAL_IDS}
        self.collector = Collector(LogTail(files, from_start=False))
        self.platform = PlatformMetrics(self.collector)
        self.ticks = TickBook()
        self.trace_daemon = ""
        self._tasks: list[asyncio.Task[None]] = []
        self._server: ViewServer | None = None

    async def listen(self) -> None:
        """Listen for traces; afterwards ``trace_daemon`` is an address."""
        self.trace_daemon = await self.collector.traces.listen()

    async def show(self, *, port: int, conninfo: str, about: Mapping[str, str]) -> None:
        """Collect from now on, and serve the page."""
        sources = Sources(self.collector, self.ticks, DatabaseFacts(conninfo), about)
        self._server = ViewServer(sources, port=port)
        await self._server.listen()
        self._tasks.append(asyncio.create_task(self.collector.run()))

    def watch_queues(self, sqs: Any, urls: list[str]) -> None:
        """Ask from now on how long some queues are."""
        self._tasks.append(asyncio.create_task(self._watch_queues(sqs, urls)))

    async def _watch_queues(self, sqs: Any, urls: list[str]) -> None:
        while True:
            for url in urls:
                with contextlib.suppress(BotoCoreError, ClientError):
                    await self._look_into(sqs, url)
            await asyncio.sleep(QUEUE_LOOK_SECONDS)

    async def _look_into(self, sqs: Any, url: str) -> None:
        asked = {"QueueUrl": url, "AttributeNames": [_LENGTH]}
        answer = await asyncio.to_thread(lambda: sqs.get_queue_attributes(**asked))
        self.platform.queue_length(url.rsplit("/", 1)[-1], int(answer["Attributes"][_LENGTH]))

    async def stop(self) -> None:
        """End everything."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._server is not None:
            await self._server.close()
        self.collector.traces.close()
