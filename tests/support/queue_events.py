"""Events of a queue, in the shape in which the event source mapping hands them over."""

import hashlib
from collections.abc import Sequence
from typing import Any

from tests.support.aws import REGION


def queue_record(message_id: str, body: str) -> dict[str, Any]:
    """One record."""
    return {
        "messageId": message_id,
        "receiptHandle": f"receipt of {message_id}",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": "1795600000000",
            "SenderId": "sender",
            "ApproximateFirstReceiveTimestamp": "1795600000015",
        },
        "messageAttributes": {},
        "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:123456789012:refresh",
        "awsRegion": REGION,
    }


def queue_event(bodies: Sequence[str]) -> dict[str, Any]:
    """An event whose messages have the ids ``m0``, ``m1`` and so on."""
    return {"Records": [queue_record(f"m{index}", body) for index, body in enumerate(bodies)]}
