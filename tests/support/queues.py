"""Queues and a spill table at a played AWS, made as the template makes them."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import boto3

from tests.support.aws import REGION

RECEIVES_MAX = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Queues:
    """Addresses of what a test has, and a client to look into it."""

    refresh_queue_url: str
    watchdog_queue_url: str
    dead_letter_queue_url: str
    spill_table: str
    sqs: Any
    dynamodb: Any

    def bodies(self, queue_url: str) -> list[str]:
        """Bodies of what can be received now, at most ten; they become invisible."""
        answer = self.sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10)
        return [message["Body"] for message in answer.get("Messages", [])]

    def waiting(self, queue_url: str) -> int:
        """How many messages a queue holds, in whatever state."""
        names = (
            "ApproximateNumberOfMessages",
            "ApproximateNumberOfMessagesNotVisible",
            "ApproximateNumberOfMessagesDelayed",
        )
        answer = self.sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=list(names))
        return sum(int(answer["Attributes"][name]) for name in names)


@contextmanager
def made_queues(endpoint: str, *, visibility_seconds: int = 30) -> Iterator[Queues]:
    """Two queues with one dead-letter queue, and a table, under names of their own."""
    given: dict[str, Any] = {"endpoint_url": endpoint, "region_name": REGION}
    sqs: Any = boto3.client("sqs", **given)  # type: ignore[call-overload,unused-ignore]
    dynamodb: Any = boto3.client("dynamodb", **given)  # type: ignore[call-overload,unused-ignore]
    mark = uuid4().hex[:8]
    dead = sqs.create_queue(QueueName=f"dead-{mark}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]
    policy = {"deadLetterTargetArn": arn["QueueArn"], "maxReceiveCount": RECEIVES_MAX}
    attributes = {"RedrivePolicy": json.dumps(policy), "VisibilityTimeout": str(visibility_seconds)}
    urls = [
        sqs.create_queue(QueueName=f"{name}-{mark}", Attributes=attributes)["QueueUrl"]
        for name in ("refresh", "watchdog")
    ]
    dynamodb.create_table(
        TableName=f"spill-{mark}",
        KeySchema=[
            {"AttributeName": "grant_id", "KeyType": "HASH"},
            {"AttributeName": "pair_generation", "KeyType": "RANGE"},
        ],
        AttributeDefinitions=[
            {"AttributeName": "grant_id", "AttributeType": "S"},
            {"AttributeName": "pair_generation", "AttributeType": "N"},
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    try:
        yield Queues(
            refresh_queue_url=urls[0],
            watchdog_queue_url=urls[1],
            dead_letter_queue_url=dead,
            spill_table=f"spill-{mark}",
            sqs=sqs,
            dynamodb=dynamodb,
        )
    finally:
        sqs.close()
        dynamodb.close()
