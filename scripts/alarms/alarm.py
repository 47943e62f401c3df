"""One alarm of the template: which metrics it asks for, and when it goes off.

Only says what the template says; what comes of numbers is ``judge``'s.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from scripts.alarms.expression import names_in

_OPERATORS: Final = {
    "GreaterThanThreshold": ">",
    "GreaterThanOrEqualToThreshold": ">=",
    "LessThanThreshold": "<",
}
JUDGED: Final = "judged"
"""Id of the query whose value is compared with the threshold."""


class MissingData(StrEnum):
    """What a period without data counts as; CloudWatch's ``TreatMissingData``."""

    BREACHING = "breaching"
    NOT_BREACHING = "notBreaching"


@dataclass(frozen=True, slots=True)
class MetricKey:
    """One metric with its dimensions, sorted by their names."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, namespace: str, name: str, dimensions: Mapping[str, str]) -> "MetricKey":
        """The key of a metric with these dimensions."""
        return cls(namespace, name, tuple(sorted(dimensions.items())))


@dataclass(frozen=True, slots=True)
class Statistic:
    """One number a period: ``Sum``, ``SampleCount``, ``Maximum`` or a percentile like ``p95``."""

    metric: MetricKey
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """An alarm; times in seconds."""

    name: str
    description: str
    runbook: str
    queries: Mapping[str, Statistic | str]
    """By id: a statistic, or an expression over others."""
    period_seconds: int
    evaluation_periods: int
    datapoints_to_alarm: int
    operator: str
    threshold: float
    missing_data: MissingData

    @property
    def window_seconds(self) -> int:
        """What one judgement looks back on."""
        return self.period_seconds * self.evaluation_periods

    def statistics(self) -> dict[str, Statistic]:
        """What has to be measured, by id."""
        return {name: one for name, one in self.queries.items() if isinstance(one, Statistic)}

    def breaches(self, value: float) -> bool:
        """Whether a value is past the threshold."""
        match self.operator:
            case ">":
                return value > self.threshold
            case ">=":
                return value >= self.threshold
        return value < self.threshold


def alarm_of(name: str, properties: Mapping[str, Any]) -> Alarm:
    """The alarm of a resource whose references are resolved.

    Raises:
        KeyError: it uses what is not known here.
        ExpressionError: an expression cannot be read.
    """
    description, _, runbook = properties["AlarmDescription"].partition("; ")
    given = properties.get("Metrics")
    queries = _queries(given) if given else {JUDGED: _statistic(properties)}
    periods = int(properties["EvaluationPeriods"])
    return Alarm(
        name=name,
        description=description,
        runbook=runbook,
        queries=queries,
        period_seconds=_period_seconds(properties),
        evaluation_periods=periods,
        datapoints_to_alarm=int(properties.get("DatapointsToAlarm", periods)),
        operator=_OPERATORS[properties["ComparisonOperator"]],
        threshold=float(properties["Threshold"]),
        missing_data=MissingData(properties["TreatMissingData"]),
    )


def _period_seconds(properties: Mapping[str, Any]) -> int:
    stats = [one["MetricStat"] for one in properties.get("Metrics", []) if "MetricStat" in one]
    (period,) = {int(one["Period"]) for one in stats or [properties]}
    return period


def _queries(given: list[Mapping[str, Any]]) -> dict[str, Statistic | str]:
    queries: dict[str, Statistic | str] = {}
    for query in given:
        if "Expression" in query:
            queries[query["Id"]] = query["Expression"]
            continue
        stat = query["MetricStat"]
        queries[query["Id"]] = _statistic({**stat["Metric"], "Statistic": stat["Stat"]})
    for one in queries.values():
        if isinstance(one, str):
            unknown = names_in(one) - queries.keys()
            if unknown:
                raise KeyError(*sorted(unknown))
    return queries


def _statistic(given: Mapping[str, Any]) -> Statistic:
    dimensions = {one["Name"]: str(one["Value"]) for one in given.get("Dimensions", [])}
    metric = MetricKey.of(given["Namespace"], given["MetricName"], dimensions)
    return Statistic(metric, given["Statistic"])
