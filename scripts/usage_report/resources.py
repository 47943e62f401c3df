"""What the functions used, by hour: which metrics tell it, how samples are put together."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Literal, Protocol

from shared.observability.metrics import MetricName
from shared.state.usage_report import Period

Statistic = Literal["Sum", "Maximum"]


class Resource(StrEnum):
    """What is looked at beside usage."""

    INVOCATIONS = "invocations"
    GIGABYTE_SECONDS = "gigabyte_seconds"
    MEMORY = "memory"
    CONNECTIONS = "connections"
    KMS_CALLS = "kms_calls"
    DRUPAL_CALLS = "drupal_calls"


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceSpec:
    """The metric of a resource, how an hour's samples become one, and how it is called."""

    metric: MetricName
    statistic: Statistic
    title: str
    unit: str


SPECS: Final[Mapping[Resource, ResourceSpec]] = {
    Resource.INVOCATIONS: ResourceSpec(
        metric=MetricName.INVOCATIONS,
        statistic="Sum",
        title="Invocations of functions",
        unit="per hour",
    ),
    Resource.GIGABYTE_SECONDS: ResourceSpec(
        metric=MetricName.GIGABYTE_SECONDS,
        statistic="Sum",
        title="Compute time",
        unit="GB-seconds per hour",
    ),
    Resource.MEMORY: ResourceSpec(
        metric=MetricName.MEMORY_USED,
        statistic="Maximum",
        title="Memory of the largest environment",
        unit="MB, the most of all days",
    ),
    Resource.CONNECTIONS: ResourceSpec(
        metric=MetricName.DATABASE_CONNECTIONS,
        statistic="Sum",
        title="Connections to Postgres, opened or checked",
        unit="per hour",
    ),
    Resource.KMS_CALLS: ResourceSpec(
        metric=MetricName.KEY_SERVICE_CALLS,
        statistic="Sum",
        title="Requests to KMS",
        unit="per hour",
    ),
    Resource.DRUPAL_CALLS: ResourceSpec(
        metric=MetricName.UPSTREAM_CALLS,
        statistic="Sum",
        title="Requests to Drupal",
        unit="per hour",
    ),
}

Hourly = Mapping[Resource, Mapping[datetime, float]]
"""By the hour's beginning (UTC); an hour that is missing had none."""


class ResourceSource(Protocol):
    """Where the samples are."""

    @property
    def name(self) -> str:
        """For the report's reader."""
        ...

    def hourly(self, period: Period) -> Hourly:
        """What was used in a period."""
        ...


def combined(statistic: Statistic, before: float | None, value: float) -> float:
    """An hour's value with one more sample."""
    if before is None:
        return value
    return before + value if statistic == "Sum" else max(before, value)


def hour_of(moment: datetime) -> datetime:
    """The beginning of its hour."""
    return moment.replace(minute=0, second=0, microsecond=0)


def typical_day(statistic: Statistic, of_hours: Mapping[datetime, float], days: int) -> list[float]:
    """24 values (UTC): the mean over the period's days, or the most of them."""
    day: list[float | None] = [None] * 24
    for hour, value in of_hours.items():
        day[hour.hour] = combined(statistic, day[hour.hour], value)
    share = days if statistic == "Sum" else 1
    return [0.0 if value is None else value / share for value in day]
