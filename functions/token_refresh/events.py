"""The two events that this function gets, told apart to the letter; anything else is refused."""

from collections.abc import Sequence
from typing import Any, Final, Literal

from aws_lambda_powertools.utilities.parser.models import (
    EventBridgeModel,
    SqsModel,
    SqsRecordModel,
)
from pydantic import ConfigDict, Field

RECORDS_MAX: Final = 10_000
"""The most that the platform hands over at once, whatever the template says."""


class _Tick(EventBridgeModel):
    model_config = ConfigDict(extra="forbid")

    source: Literal["aws.events"]
    detail_type: Literal["Scheduled Event"] = Field(alias="detail-type")


class _Batch(SqsModel):
    model_config = ConfigDict(extra="forbid")

    Records: Sequence[SqsRecordModel] = Field(min_length=1, max_length=RECORDS_MAX)


def queue_records(event: dict[str, Any]) -> list[dict[str, Any]] | None:
    """The records of a queue's event; None for a tick of the schedule.

    Raises:
        ValidationError: it is neither.
    """
    if "Records" not in event:
        _Tick.model_validate(event)
        return None
    _Batch.model_validate(event)
    return list(event["Records"])
