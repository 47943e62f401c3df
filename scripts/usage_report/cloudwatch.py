"""What the functions used, from CloudWatch: a deployment's way.

Only reads: ``cloudwatch:ListMetrics`` and ``cloudwatch:GetMetricData``. ListMetrics knows metrics
that had a sample within two weeks, so one that has been silent for longer is missing.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from scripts.usage_report.resources import SPECS, Hourly, Resource, combined, hour_of
from shared.observability.metrics import METRICS, NAMESPACE
from shared.state.usage_report import Period

PERIOD_SECONDS: Final = 3_600
QUERIES_MAX: Final = 100
"""Of one request; 500 are allowed, and 100,800 values, which 100 queries reach after 42 days."""


class CloudWatchMetrics:
    """The metrics of one stage. ``client`` is boto3's of CloudWatch."""

    def __init__(self, client: Any, *, stage: str) -> None:
        self._client = client
        self._stage = stage

    @property
    def name(self) -> str:
        """For the report's reader."""
        return f"CloudWatch, stage {self._stage}"

    def hourly(self, period: Period) -> Hourly:
        """What was used in a period."""
        found: dict[Resource, dict[datetime, float]] = {resource: {} for resource in SPECS}
        queries = [query for resource in SPECS for query in self._queries(resource)]
        for start in range(0, len(queries), QUERIES_MAX):
            self._add(found, queries[start : start + QUERIES_MAX], period)
        return found

    def _queries(self, resource: Resource) -> Iterator[tuple[Resource, list[dict[str, str]]]]:
        """The resource's metric with each of its dimensions' values, but none of its totals."""
        metric = SPECS[resource].metric
        whole = {"service", "stage", *(one.value for one in METRICS[metric].dimensions)}
        pages = self._client.get_paginator("list_metrics").paginate(
            Namespace=NAMESPACE,
            MetricName=metric.value,
            Dimensions=[{"Name": "stage", "Value": self._stage}],
        )
        for page in pages:
            for one in page["Metrics"]:
                dimensions = one["Dimensions"]
                if {dimension["Name"] for dimension in dimensions} == whole:
                    yield resource, dimensions

    def _add(
        self,
        found: dict[Resource, dict[datetime, float]],
        queries: Sequence[tuple[Resource, list[dict[str, str]]]],
        period: Period,
    ) -> None:
        pages = self._client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                _query(f"q{number}", resource, dimensions)
                for number, (resource, dimensions) in enumerate(queries)
            ],
            StartTime=period.since,
            EndTime=period.until,
            ScanBy="TimestampAscending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                resource = queries[int(result["Id"].removeprefix("q"))][0]
                of_hour, statistic = found[resource], SPECS[resource].statistic
                for moment, value in zip(result["Timestamps"], result["Values"], strict=True):
                    hour = hour_of(moment.astimezone(UTC))
                    of_hour[hour] = combined(statistic, of_hour.get(hour), value)


def _query(query_id: str, resource: Resource, dimensions: list[dict[str, str]]) -> dict[str, Any]:
    spec = SPECS[resource]
    metric = {"Namespace": NAMESPACE, "MetricName": spec.metric.value, "Dimensions": dimensions}
    return {
        "Id": query_id,
        "MetricStat": {"Metric": metric, "Period": PERIOD_SECONDS, "Stat": spec.statistic},
    }
