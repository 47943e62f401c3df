"""The local event source mapping: what is done goes, what failed comes back, nothing is lost."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aws_lambda_powertools.utilities.parser.models import SqsModel

from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.queue_poller import QueuePoller, failed_ids
from tests.support.queues import RECEIVES_MAX, Queues, made_queues

WAIT_SECONDS_MAX = 20.0
Serve = Callable[[list[dict[str, Any]]], Awaitable[Any]]


@pytest.fixture
def queues(kms_endpoint: str) -> Iterator[Queues]:
    with made_queues(kms_endpoint, visibility_seconds=0) as made:
        yield made


class Function:
    """A function that the test plays."""

    def __init__(self, serve: Serve) -> None:
        self._serve = serve
        self.events: list[dict[str, Any]] = []

    async def invoke(self, _name: str, event: dict[str, Any]) -> Any:
        SqsModel.model_validate(event)
        self.events.append(event)
        return await self._serve(event["Records"])


@asynccontextmanager
async def polled(
    queues: Queues, function: Function, *, batches_at_once_max: int = 2
) -> AsyncIterator[None]:
    poller = QueuePoller(
        queues.sqs,
        queues.refresh_queue_url,
        "token_refresh",
        batches_at_once_max=batches_at_once_max,
        pause_seconds=0.01,
    )
    polling = asyncio.create_task(poller.run(function))
    yield
    polling.cancel()
    await asyncio.gather(polling, return_exceptions=True)


async def until(reached: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while True:
            if reached():
                return
            await asyncio.sleep(0.01)


def send(queues: Queues, *bodies: str) -> None:
    for body in bodies:
        queues.sqs.send_message(QueueUrl=queues.refresh_queue_url, MessageBody=body)


async def test_what_failed_comes_back_and_ends_in_the_dead_letter_queue(queues: Queues) -> None:
    send(queues, "good", "poison", "good too")

    async def serve(records: list[dict[str, Any]]) -> Any:
        poison = [one["messageId"] for one in records if one["body"] == "poison"]
        return {"batchItemFailures": [{"itemIdentifier": one} for one in poison]}

    function = Function(serve)
    async with polled(queues, function, batches_at_once_max=1):
        await until(lambda: queues.waiting(queues.dead_letter_queue_url) == 1)

    received = [one["body"] for event in function.events for one in event["Records"]]
    assert sorted(received) == ["good", "good too", *["poison"] * RECEIVES_MAX]
    assert queues.bodies(queues.dead_letter_queue_url) == ["poison"]
    assert queues.waiting(queues.refresh_queue_url) == 0


@pytest.mark.parametrize("failure", [FunctionError("Runtime.ExitError"), ThrottledError()])
async def test_a_batch_whose_fate_is_unknown_comes_back_whole(
    queues: Queues, failure: Exception
) -> None:
    send(queues, "one", "two")
    failures = [failure]
    done: set[str] = set()

    async def serve(records: list[dict[str, Any]]) -> Any:
        if failures:
            raise failures.pop()
        done.update(one["body"] for one in records)
        return {"batchItemFailures": []}

    async with polled(queues, Function(serve), batches_at_once_max=1):
        await until(lambda: done == {"one", "two"})
        await until(lambda: queues.waiting(queues.refresh_queue_url) == 0)


async def test_no_more_batches_are_under_way_than_allowed(kms_endpoint: str) -> None:
    under_way, most = 0, 0
    release = asyncio.Event()

    async def serve(_records: list[dict[str, Any]]) -> Any:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        await release.wait()
        under_way -= 1
        return None

    with made_queues(kms_endpoint) as queues:
        send(queues, *(f"{number}" for number in range(25)))
        async with polled(queues, Function(serve)):
            await until(lambda: under_way == 2)
            release.set()
            await until(lambda: queues.waiting(queues.refresh_queue_url) == 0)

    assert most == 2


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, ""),
        ({}, ""),
        ({"batchItemFailures": None}, ""),
        ({"batchItemFailures": []}, ""),
        ({"batchItemFailures": [{"itemIdentifier": "b"}]}, "b"),
        ({"batchItemFailures": [{"itemIdentifier": "x"}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, "abc"),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, "abc"),
        ({"batchItemFailures": [{"id": "b"}]}, "abc"),
        ({"batchItemFailures": "b"}, "abc"),
        ("all is well", "abc"),
        ([1], "abc"),
    ],
)
def test_answers_are_read_as_the_platform_reads_them(answer: Any, failed: str) -> None:
    assert failed_ids(json.loads(json.dumps(answer)), ["a", "b", "c"]) == set(failed)
