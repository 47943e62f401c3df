"""What Lambda's event source mapping does: takes batches from a queue and hands them to a function.

Deletes what the function did, leaves the rest to come back when its visibility ends; the queue
itself moves to the dead-letter queue what came back too often. It must never delete a message whose
fate it does not know.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.options import REGION
from scripts.local_stack.queues import BATCH_MAX, BATCHES_AT_ONCE_MAX
from scripts.local_stack.schedules import Invoker

PAUSE_SECONDS: Final = 0.5
"""Between two looks into an empty queue."""

logger = logging.getLogger("local_stack.queue_poller")


@dataclass(frozen=True)
class QueuePoller:
    """One queue and the function that serves it."""

    sqs: Any
    queue_url: str
    function: str
    batches_at_once_max: int = BATCHES_AT_ONCE_MAX
    pause_seconds: float = PAUSE_SECONDS

    async def run(self, invoker: Invoker) -> None:
        """Hand over batches for ever."""
        free = asyncio.Semaphore(self.batches_at_once_max)
        async with asyncio.TaskGroup() as group:
            while True:
                # Nothing is received that cannot be handed over at once: its time would run.
                await free.acquire()
                messages = await self._receive()
                if messages:
                    group.create_task(self._serve(invoker, messages, free))
                else:
                    free.release()
                    await asyncio.sleep(self.pause_seconds)

    async def _receive(self) -> list[dict[str, Any]]:
        try:
            answer = await asyncio.to_thread(
                self.sqs.receive_message,
                QueueUrl=self.queue_url,
                MaxNumberOfMessages=BATCH_MAX,
                AttributeNames=["All"],
            )
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s not read: %s", self.queue_url, type(error).__name__)
            return []
        return list(answer.get("Messages", []))

    async def _serve(
        self, invoker: Invoker, messages: Sequence[dict[str, Any]], free: asyncio.Semaphore
    ) -> None:
        try:
            records = [_record(message, self.queue_url) for message in messages]
            answer = await invoker.invoke(self.function, {"Records": records})
            failed = failed_ids(answer, [message["MessageId"] for message in messages])
            logger.info("%s: %d taken, %d back", self.function, len(messages), len(failed))
            await self._delete([one for one in messages if one["MessageId"] not in failed])
        except ThrottledError:
            logger.warning("%s is busy: %d messages come back", self.function, len(messages))
        except FunctionError as error:
            logger.error("%s failed: %s %s", self.function, error, error.details)  # noqa: TRY400 - the trace is of this loop, the function's own is in its log
        except (BotoCoreError, ClientError) as error:
            logger.warning("%s: messages not deleted: %s", self.function, type(error).__name__)
        finally:
            free.release()

    async def _delete(self, messages: Sequence[dict[str, Any]]) -> None:
        if messages:
            entries = [
                {"Id": str(index), "ReceiptHandle": message["ReceiptHandle"]}
                for index, message in enumerate(messages)
            ]
            await asyncio.to_thread(
                self.sqs.delete_message_batch, QueueUrl=self.queue_url, Entries=entries
            )


def failed_ids(answer: Any, message_ids: Sequence[str]) -> set[str]:
    """The messages that come back, as the platform reads a function's answer.

    Nothing reported is all done; a report that makes no sense is all failed.
    """
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, Mapping):
        return set(message_ids)
    reported = answer.get("batchItemFailures") or []
    try:
        failed = {item["itemIdentifier"] for item in reported}
    except (KeyError, TypeError):
        return set(message_ids)
    unknown = failed - set(message_ids)
    return set(message_ids) if unknown else failed


def _record(message: Mapping[str, Any], queue_url: str) -> dict[str, Any]:
    name = queue_url.rsplit("/", 1)[-1]
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message["Attributes"],
        "messageAttributes": {},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:{name}",
        "awsRegion": REGION,
    }
