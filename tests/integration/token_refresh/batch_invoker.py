"""Stands in for Lambda: invokes the real batch on the test's own loop."""

import asyncio
from typing import Any

from functions.token_refresh.queue_batch import RefreshBatch


class BatchInvoker:
    """Remembers what it was given; `everything_came` once as many messages as expected are done."""

    def __init__(self, batch: RefreshBatch, *, expected: int) -> None:
        self._batch = batch
        self._expected = expected
        self.received: list[str] = []
        self.everything_came = asyncio.Event()

    async def invoke(self, _name: str, event: dict[str, Any]) -> Any:
        """One batch."""
        self.received += [record["messageId"] for record in event["Records"]]
        answer = await self._batch.run(event["Records"])
        if len(self.received) >= self._expected:
            self.everything_came.set()
        return answer
