"""The two queues of the background refresher: grants that are due, and repeats.

Apart, because a repeat is worth nothing if it waits behind thousands of due grants: the site
remembers a lost answer for a minute only.
"""

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any, Final

from shared.aws_service import CONNECTIONS_MAX, CallLimits
from shared.domain.identifiers import GrantId
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.queue.messages import MessageKind, RefreshMessage
from shared.queue.watched_service import WatchedService

BATCH_MAX: Final = 10
"""Messages that one request takes; the service's own limit."""
SEND_LIMITS: Final = CallLimits(
    connect_timeout_seconds=1.0, read_timeout_seconds=2.0, deadline_seconds=4.0
)
ARM_LIMITS: Final = CallLimits(
    connect_timeout_seconds=0.5, read_timeout_seconds=0.5, deadline_seconds=1.0
)
"""A refresh waits for its watchdog, so it waits shortly."""


class QueueUnavailableError(UnavailableError):
    """The queue service did not take a message."""

    code = ErrorCode.QUEUE_UNAVAILABLE


class SqsRefreshQueue:
    """Sends due grants to whoever is free to refresh them."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url
        self._sqs = WatchedService("sqs", limits=SEND_LIMITS, error=QueueUnavailableError)

    async def send(self, messages: Sequence[RefreshMessage]) -> list[RefreshMessage]:
        """Send ``messages``; the ones that the queue did not take.

        A queue that is away is not asked again by the batches that have not begun: the caller's
        time would go with it.
        """
        at_once = asyncio.Semaphore(CONNECTIONS_MAX)
        away = asyncio.Event()

        async def send_one(batch: Sequence[RefreshMessage]) -> list[RefreshMessage]:
            async with at_once:
                return list(batch) if away.is_set() else await self._send_batch(batch, away)

        refused = await asyncio.gather(*(send_one(batch) for batch in _batches(messages)))
        left = [message for batch in refused for message in batch]
        metrics.count(MetricName.REFRESHES_QUEUED, len(messages) - len(left))
        return left

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._sqs.forget_client()

    async def _send_batch(
        self, batch: Sequence[RefreshMessage], away: asyncio.Event
    ) -> list[RefreshMessage]:
        entries = [
            {"Id": str(index), "MessageBody": message.encode()}
            for index, message in enumerate(batch)
        ]
        try:
            answer: Any = await self._sqs.call(
                lambda sqs: sqs.send_message_batch(QueueUrl=self._queue_url, Entries=entries)
            )
        except QueueUnavailableError as error:
            away.set()
            log.warning("messages not sent", error=error, messages=len(batch))
            return list(batch)
        failed = answer.get("Failed", [])
        if failed:
            codes = sorted({str(entry.get("Code")) for entry in failed})
            log.warning("messages not taken", aws_code=",".join(codes), messages=len(failed))
        return [batch[int(entry["Id"])] for entry in failed]


class SqsWatchdog:
    """A message that arrives after a while, whatever has become of its sender."""

    def __init__(self, queue_url: str) -> None:
        self._queue_url = queue_url
        self._sqs = WatchedService("sqs", limits=ARM_LIMITS, error=QueueUnavailableError)

    async def arm(self, grant_id: GrantId, pair_generation: int, *, delay_seconds: int) -> None:
        """Have the refresh repeated in ``delay_seconds`` (900 at most).

        Raises:
            QueueUnavailableError: it could not be arranged; that is logged and counted here.
        """
        message = RefreshMessage.about(MessageKind.WATCHDOG, grant_id, pair_generation)
        try:
            await self._sqs.call(
                lambda sqs: sqs.send_message(
                    QueueUrl=self._queue_url,
                    MessageBody=message.encode(),
                    DelaySeconds=delay_seconds,
                )
            )
        except QueueUnavailableError as error:
            metrics.count(MetricName.WATCHDOGS_NOT_ARMED)
            log.warning("watchdog not armed", error=error, grant_id=str(grant_id))
            raise

    def forget_client(self) -> None:
        """Drop connections and credentials."""
        self._sqs.forget_client()


def _batches(messages: Sequence[RefreshMessage]) -> Iterator[Sequence[RefreshMessage]]:
    for start in range(0, len(messages), BATCH_MAX):
        yield messages[start : start + BATCH_MAX]
