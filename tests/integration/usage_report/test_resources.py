"""What the functions used, from log files and from CloudWatch, comes out the same."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto import mock_aws

from scripts.usage_report.cloudwatch import CloudWatchMetrics
from scripts.usage_report.emf_logs import EmfLogs
from scripts.usage_report.resources import Resource, typical_day
from shared.observability.metrics import NAMESPACE
from shared.state.usage_report import Period

SINCE = datetime(2026, 3, 2, tzinfo=UTC)
PERIOD = Period(since=SINCE, until=SINCE + timedelta(days=2))
NINE, TEN = SINCE + timedelta(hours=9), SINCE + timedelta(hours=10)


def a_line(moment: datetime, **values: object) -> str:
    stamp = {"Timestamp": int(moment.timestamp() * 1000), "CloudWatchMetrics": []}
    return json.dumps({"_aws": stamp, "service": "oauth", **values})


def test_lines_with_metrics_are_added_up_by_hour_and_all_others_passed_over(
    tmp_path: Path,
) -> None:
    (tmp_path / "oauth.log").write_text(
        "\n".join(
            [
                '{"message": "no metric", "_aws": 1}',
                a_line(NINE, Invocations=[1.0, 1.0], MemoryUsed=[120.0, 180.0]),
                a_line(NINE + timedelta(minutes=59), Invocations=[1.0], MemoryUsed=[90.0]),
                a_line(TEN, Invocations=[1.0], UpstreamCalls=2.0),
                a_line(SINCE - timedelta(seconds=1), Invocations=[7.0]),
                a_line(PERIOD.until, Invocations=[7.0]),
                '{"_aws": {"Timestamp": 17724',
            ]
        )
    )
    (tmp_path / "other.log").write_text("prefix " + a_line(TEN, Invocations=[2.0]) + "\n")

    found = EmfLogs(tmp_path).hourly(PERIOD)

    assert found[Resource.INVOCATIONS] == {NINE: 3.0, TEN: 3.0}
    assert found[Resource.MEMORY] == {NINE: 180.0}
    assert found[Resource.DRUPAL_CALLS] == {TEN: 2.0}
    assert found[Resource.KMS_CALLS] == {}


@pytest.fixture
def cloudwatch(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.delenv("AWS_ENDPOINT_URL", raising=False)
    with mock_aws():
        yield boto3.client(
            "cloudwatch",
            region_name="eu-central-1",
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
        )


def put(client: Any, name: str, moment: datetime, value: float, **dimensions: str) -> None:
    named = [{"Name": key, "Value": text} for key, text in dimensions.items()]
    client.put_metric_data(
        Namespace=NAMESPACE,
        MetricData=[{"MetricName": name, "Dimensions": named, "Timestamp": moment, "Value": value}],
    )


def test_cloudwatch_is_asked_for_every_function_of_the_stage_and_for_no_total_twice(
    cloudwatch: Any,
) -> None:
    for service in ("oauth", "mcp_endpoint"):
        put(cloudwatch, "Invocations", NINE, 3, service=service, stage="prod")
        put(cloudwatch, "MemoryUsed", NINE, 100 + len(service), service=service, stage="prod")
    put(cloudwatch, "Invocations", NINE, 9, service="oauth", stage="staging")
    drupal = {"service": "oauth", "stage": "prod", "operation": "token"}
    put(cloudwatch, "UpstreamCalls", TEN, 4, **drupal, outcome="ok")
    put(cloudwatch, "UpstreamCalls", TEN, 2, **drupal, outcome="timeout")
    put(cloudwatch, "DatabaseConnections", TEN, 5, stage="prod", outcome="ok")  # a total

    found = CloudWatchMetrics(cloudwatch, stage="prod").hourly(PERIOD)

    assert found[Resource.INVOCATIONS] == {NINE: 6.0}
    assert found[Resource.MEMORY] == {NINE: 112.0}
    assert found[Resource.DRUPAL_CALLS] == {TEN: 6.0}
    assert found[Resource.CONNECTIONS] == {}


def test_a_mean_day_shares_sums_among_the_days_and_keeps_the_most_of_a_maximum() -> None:
    of_hours = {NINE: 4.0, NINE + timedelta(days=1): 8.0}

    assert typical_day("Sum", of_hours, 2)[9] == 6.0
    assert typical_day("Maximum", of_hours, 2)[9] == 8.0
    assert sum(typical_day("Sum", {}, 2)) == 0
