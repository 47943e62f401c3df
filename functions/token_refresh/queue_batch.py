"""A batch of messages from a queue: each one a grant to be refreshed, each failing alone.

A message is done when its grant needs no more: refreshed, ended, moved on, or backed off, which the
schedule finds again. It fails, and comes back, when that could not be found out.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any, Final

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType
from aws_lambda_powertools.utilities.batch.types import PartialItemFailureResponse
from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord

from functions.token_refresh.time_to_begin import BEGIN_SECONDS_MIN
from shared.circuit.guard import CircuitGuard
from shared.domain.circuits import Dependency
from shared.domain.refresh_times import DOUBT_SECONDS_MAX
from shared.errors.base import ServiceError
from shared.observability import crash_reports, metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName
from shared.queue.messages import MessageKind, MessageRefusedError, RefreshMessage
from shared.state import refresh_attempts
from shared.state.database import Database
from shared.upstream.failures import UpstreamMisconfiguredError
from shared.workflows.refresh_grant import GrantRefresher

NO_DOUBT: Final = "no_doubt"
"""A repeat that nobody needs: its refresh has ended, one way or another."""

PAUSED: Final = "paused"
"""The site's OAuth server is left alone: the schedule finds the grant again in some minutes."""


class NotNowError(Exception):
    """There is no time left, or Drupal refuses our client: the message has to come back."""


class _Processor(AsyncBatchProcessor):
    """Powertools' own, on the loop that is running: its connections belong to that loop."""

    async def on_this_loop(self) -> None:
        """Process all records."""
        await asyncio.gather(*(self._async_process_record(record) for record in self.records))


class RefreshBatch:
    """Refreshes what messages name."""

    def __init__(
        self,
        database: Database,
        refresher: GrantRefresher,
        *,
        concurrency_max: int,
        seconds_left: Callable[[], float],
        circuits: CircuitGuard | None = None,
    ) -> None:
        self._circuits = circuits
        self._database = database
        self._refresher = refresher
        self._concurrency_max = concurrency_max
        self._seconds_left = seconds_left

    async def run(self, records: Sequence[dict[str, Any]]) -> PartialItemFailureResponse:
        """Refresh the grants of ``records``; the messages that have to come back."""
        if self._circuits is not None:
            await self._circuits.hear_fleet()
        processor = _Processor(event_type=EventType.SQS, raise_on_entire_batch_failure=False)
        turns = _Turns(self._concurrency_max, self._seconds_left)

        async def handle(record: SQSRecord) -> None:
            async with turns.free:
                await self._handle(record, turns)

        with processor(records=list(records), handler=handle):
            await processor.on_this_loop()
        return processor.response()

    async def _handle(self, record: SQSRecord, turns: "_Turns") -> None:
        """Raises whatever makes the message fail; told here, because the processor is silent."""
        outcome = "failed"
        try:
            turns.check()
            outcome = await self._outcome(RefreshMessage.decode(record.body))
        except MessageRefusedError as error:
            outcome = "refused"
            log.error("message refused", reason=str(error), message_id=record.message_id)
            raise
        except UpstreamMisconfiguredError as error:
            turns.pointless = True
            log.error("upstream refuses our client", error=error)
            raise
        except ServiceError as error:
            log.warning("message failed", error=error, message_id=record.message_id)
            raise
        except NotNowError:
            outcome = "not_now"
            raise
        except Exception as error:
            report_id = crash_reports.report(error)
            log.exception("message crashed", message_id=record.message_id, report_id=report_id)
            raise
        finally:
            metrics.count(MetricName.QUEUE_MESSAGES, outcome=outcome)

    async def _outcome(self, message: RefreshMessage) -> str:
        if message.kind is MessageKind.WATCHDOG and not await self._in_doubt(message):
            return NO_DOUBT
        if message.kind is MessageKind.REFRESH_DUE and self._paused():
            return PAUSED
        return await self._refresher.refresh(message.grant_id, message.pair_generation)

    def _paused(self) -> bool:
        """Whether the site's OAuth server is left alone for now."""
        if self._circuits is None:
            return False
        return self._circuits.standing(Dependency.DRUPAL_OAUTH).refuses

    async def _in_doubt(self, message: RefreshMessage) -> bool:
        """Whether a worker may have died with the pair's successor, not too long ago.

        Where Drupal hangs, every repeat is in doubt itself and asks for the next one: the limit
        ends that chain.
        """
        async with self._database.autocommit() as tx:
            return await refresh_attempts.in_doubt_since(
                tx,
                grant_id=message.grant_id,
                pair_generation=message.pair_generation,
                seconds_max=DOUBT_SECONDS_MAX,
            )


class _Turns:
    """How many refreshes may be under way, and whether another one may begin."""

    def __init__(self, concurrency_max: int, seconds_left: Callable[[], float]) -> None:
        self.free = asyncio.Semaphore(concurrency_max)
        self.pointless = False
        """Drupal does not know our client (any more): no other refresh can work."""
        self._seconds_left = seconds_left

    def check(self) -> None:
        """Raises ``NotNowError``, for the message to come back."""
        if self.pointless or self._seconds_left() < BEGIN_SECONDS_MIN:
            raise NotNowError
