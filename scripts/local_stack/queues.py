"""The queues and the second store of the stack: made at every start, with what moto forgets.

Their numbers are the template's, which a test compares.
"""

import json
from dataclasses import dataclass
from typing import Any, Final

import boto3
from botocore.config import Config

from scripts.local_stack.options import REGION

BATCH_MAX: Final = 10
RECEIVES_MAX: Final = 5
BATCHES_AT_ONCE_MAX: Final = 2
"""For each queue: what `RefreshConcurrencyMax` is in a deployment."""
REFRESH_VISIBILITY_SECONDS: Final = 300
WATCHDOG_VISIBILITY_SECONDS: Final = 60
TABLE: Final = "drupalize-mcp-spill"
KEY_SCHEMA: Final = (
    {"AttributeName": "grant_id", "KeyType": "HASH"},
    {"AttributeName": "pair_generation", "KeyType": "RANGE"},
)
ATTRIBUTES: Final = (
    {"AttributeName": "grant_id", "AttributeType": "S"},
    {"AttributeName": "pair_generation", "AttributeType": "N"},
)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAddresses:
    """What functions are told."""

    refresh_queue_url: str
    watchdog_queue_url: str
    dead_letter_queue_url: str

    @property
    def all(self) -> list[str]:
        """The URLs of all three."""
        return [self.refresh_queue_url, self.watchdog_queue_url, self.dead_letter_queue_url]

    @property
    def variables(self) -> dict[str, str]:
        """As environment variables."""
        return {
            "REFRESH_QUEUE_URL": self.refresh_queue_url,
            "WATCHDOG_QUEUE_URL": self.watchdog_queue_url,
            "SPILL_TABLE": TABLE,
        }


def sdk_client(service: str, aws_url: str) -> Any:
    """A client of the played AWS, with made-up credentials and short timeouts."""
    session: Any = boto3.session.Session()
    return session.client(
        service,
        endpoint_url=aws_url,
        region_name=REGION,
        aws_access_key_id="local",
        aws_secret_access_key="local",  # noqa: S106 - the played AWS takes anything
        config=Config(connect_timeout=2, read_timeout=10, retries={"total_max_attempts": 2}),
    )


def make_queues(aws_url: str) -> QueueAddresses:
    """Make queues and table; blocks while moto answers."""
    sqs, dynamodb = sdk_client("sqs", aws_url), sdk_client("dynamodb", aws_url)
    try:
        dead = _queue(sqs, "dead-letter", {})
        answer = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])
        arn = answer["Attributes"]["QueueArn"]
        policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": RECEIVES_MAX})
        dynamodb.create_table(
            TableName=TABLE,
            KeySchema=list(KEY_SCHEMA),
            AttributeDefinitions=list(ATTRIBUTES),
            BillingMode="PAY_PER_REQUEST",
        )
        return QueueAddresses(
            refresh_queue_url=_served(sqs, "refresh", REFRESH_VISIBILITY_SECONDS, policy),
            watchdog_queue_url=_served(sqs, "watchdog", WATCHDOG_VISIBILITY_SECONDS, policy),
            dead_letter_queue_url=dead,
        )
    finally:
        sqs.close()
        dynamodb.close()


def _served(sqs: Any, name: str, visibility_seconds: int, redrive_policy: str) -> str:
    attributes = {"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": redrive_policy}
    return _queue(sqs, name, attributes)


def _queue(sqs: Any, name: str, attributes: dict[str, str]) -> str:
    made = sqs.create_queue(QueueName=f"drupalize-mcp-{name}", Attributes=attributes)
    return str(made["QueueUrl"])
