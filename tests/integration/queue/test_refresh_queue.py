"""Messages to the refresher: sent in batches, what is not taken is told, repeats are delayed."""

import json
from collections.abc import Iterator

import pytest

from shared.aws_service import CONNECTIONS_MAX, prepare
from shared.domain.identifiers import GrantId, new_id
from shared.queue import refresh_queue
from shared.queue.messages import MessageKind, RefreshMessage
from shared.queue.refresh_queue import (
    SEND_LIMITS,
    QueueUnavailableError,
    SqsRefreshQueue,
    SqsWatchdog,
)
from tests.integration.queue.conftest import Answers
from tests.support.queues import Queues


def due(count: int) -> list[RefreshMessage]:
    return [
        RefreshMessage.about(MessageKind.REFRESH_DUE, GrantId(new_id()), 1) for _ in range(count)
    ]


@pytest.fixture
def queue(queues: Queues) -> Iterator[SqsRefreshQueue]:
    made = SqsRefreshQueue(queues.refresh_queue_url)
    yield made
    made.forget_client()


async def test_every_message_arrives_once_however_many_there_are(
    queue: SqsRefreshQueue, queues: Queues
) -> None:
    messages = due(25)

    left = await queue.send(messages)
    received = [
        RefreshMessage.decode(body)
        for _ in range(4)
        for body in queues.bodies(queues.refresh_queue_url)
    ]

    assert left == []
    assert len(received) == 25
    assert set(received) == set(messages)


async def test_nothing_to_send_asks_nobody(queue: SqsRefreshQueue) -> None:
    answers = Answers(queue._sqs, "sqs")

    assert await queue.send([]) == []
    assert answers.asked == 0


async def test_what_the_queue_does_not_take_is_told(queue: SqsRefreshQueue) -> None:
    answers = Answers(queue._sqs, "sqs")
    messages = due(3)
    refused = [{"Id": "1", "Code": "InternalError", "SenderFault": False}]
    answers.given = [(200, {"Successful": [], "Failed": refused})]

    left = await queue.send(messages)

    assert left == [messages[1]]


async def test_a_batch_that_fails_costs_the_others_nothing(queue: SqsRefreshQueue) -> None:
    answers = Answers(queue._sqs, "sqs")
    answers.given = [(403, {"__type": "AccessDeniedException"})]

    left = await queue.send(due(30))

    assert len(left) == 10
    assert answers.asked == 3


async def test_a_queue_that_is_away_is_asked_by_the_batches_under_way_only(
    queue: SqsRefreshQueue,
) -> None:
    answers = Answers(queue._sqs, "sqs")
    answers.given = [(403, {"__type": "AccessDeniedException"})] * 1_000
    messages = due(1_000)

    left = await queue.send(messages)

    assert left == messages
    assert answers.asked <= CONNECTIONS_MAX


async def test_a_passing_failure_is_tried_again_and_only_once(queue: SqsRefreshQueue) -> None:
    answers = Answers(queue._sqs, "sqs")
    answers.given = [(500, {"__type": "InternalFailure"})]
    assert await queue.send(due(1)) == []
    assert answers.asked == 2

    answers.given = [(500, {"__type": "InternalFailure"})] * 5
    assert len(await queue.send(due(1))) == 1
    assert answers.asked == 4


async def test_a_watchdog_comes_after_its_delay(
    queues: Queues, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A refresh waits for its watchdog for a second; this is about what the queue does with it.
    monkeypatch.setattr(refresh_queue, "ARM_LIMITS", SEND_LIMITS)
    watchdog = SqsWatchdog(queues.watchdog_queue_url)
    grant_id = GrantId(new_id())
    await watchdog.arm(grant_id, 3, delay_seconds=15)
    now = queues.bodies(queues.watchdog_queue_url)
    await watchdog.arm(grant_id, 4, delay_seconds=0)
    after = queues.bodies(queues.watchdog_queue_url)
    watchdog.forget_client()

    assert now == []
    assert queues.waiting(queues.watchdog_queue_url) == 2
    assert [json.loads(body) for body in after] == [
        {"version": 1, "kind": "watchdog", "grant_id": str(grant_id), "pair_generation": 4}
    ]


async def test_a_watchdog_that_cannot_be_armed_is_a_named_error(
    queues: Queues, caplog: pytest.LogCaptureFixture
) -> None:
    watchdog = SqsWatchdog(f"{queues.watchdog_queue_url}-that-is-not-there")

    with pytest.raises(QueueUnavailableError):
        await watchdog.arm(GrantId(new_id()), 1, delay_seconds=15)
    watchdog.forget_client()


def test_what_building_clients_takes_can_be_read_ahead_of_a_snapshot() -> None:
    prepare("sqs", "dynamodb")
