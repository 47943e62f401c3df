import asyncio
from typing import Any

import pytest

from shared.observability import metrics, sample_buffer
from shared.observability.metric_spec import Dimension
from shared.observability.metrics import METRICS, MetricName, count, duration
from shared.observability.request_context import begin_request
from shared.observability.sample_buffer import SampleBuffer
from tests.unit.observability import canaries
from tests.unit.observability.conftest import Lines


def _assert_valid_emf(line: dict[str, Any]) -> None:
    """The rules of the CloudWatch embedded metric format specification that we could break."""
    directive = line["_aws"]["CloudWatchMetrics"][0]
    assert isinstance(line["_aws"]["Timestamp"], int)
    assert directive["Namespace"] == metrics.NAMESPACE
    for dimension_set in directive["Dimensions"]:
        assert len(dimension_set) <= 30
        assert all(1 <= len(line[dimension]) <= 1024 for dimension in dimension_set)
    assert 1 <= len(directive["Metrics"]) <= 100
    for metric in directive["Metrics"]:
        assert metric["Unit"] in {"Count", "Milliseconds"}
        values = line[metric["Name"]]
        assert 1 <= len(values) <= 100
        assert all(isinstance(value, float) for value in values)


def test_every_metric_has_a_unit_dimensions_and_a_description() -> None:
    assert set(METRICS) == set(MetricName)
    for name, spec in METRICS.items():
        assert name.value.isalnum()
        assert spec.description.endswith(".")
        assert len(set(spec.dimensions)) == len(spec.dimensions)


def test_a_flush_writes_one_valid_line_for_each_set_of_dimensions(lines: Lines) -> None:
    with begin_request(function="f", correlation_id="request-1"):
        count(MetricName.TOOL_CALLS, tool="search_tutorials", outcome="ok")
        count(MetricName.TOOL_CALLS, 2, tool="search_tutorials", outcome="ok")
        count(MetricName.TOOL_CALLS, tool="get_tutorial", outcome="ok")
        duration(MetricName.TOOL_DURATION, 12.3456, tool="get_tutorial")
        metrics.flush()

    written = lines()
    assert len(written) == 3
    for line in written:
        _assert_valid_emf(line)
        assert (line["service"], line["stage"]) == ("unit", "local")
        assert line["correlation_id"] == "request-1"
    assert written[0]["ToolCalls"] == [1.0, 2.0]
    assert written[2]["ToolDuration"] == [12.346]


def test_a_flush_with_nothing_to_say_writes_nothing(lines: Lines) -> None:
    metrics.flush()

    assert lines() == []


def test_many_samples_outside_an_invocation_are_written_as_they_come(lines: Lines) -> None:
    for _ in range(sample_buffer.SAMPLES_MAX * 3):
        duration(MetricName.UPSTREAM_DURATION, 1, operation="refresh")

    written = lines()
    assert len(written) == 3
    for line in written:
        _assert_valid_emf(line)
        assert line["correlation_id"] == "none"


@pytest.mark.parametrize("name", [*canaries.ALONE, "has blank", "", "x" * 65, "a\nb"])
def test_a_dimension_takes_no_value_that_callers_could_choose(name: str, lines: Lines) -> None:
    count(MetricName.ROWS_PURGED, rule=canaries.ALONE.get(name, name))
    metrics.flush()

    (line,) = lines()
    assert line["rule"] == "other"


def test_a_missing_dimension_counts_as_other_and_an_unknown_one_as_nothing(lines: Lines) -> None:
    count(MetricName.TOOL_CALLS, tool="get_tutorial", person="7")
    metrics.flush()

    (line,) = lines()
    assert (line["tool"], line["outcome"]) == ("get_tutorial", "other")
    assert "person" not in line


def test_the_number_of_values_of_a_dimension_is_bounded(lines: Lines) -> None:
    # Of its own: what a process has seen stays seen.
    buffer = SampleBuffer(metrics.NAMESPACE)
    spec = METRICS[MetricName.GRANTS_ENDED]
    for number in range(sample_buffer.DIMENSION_VALUES_MAX * 2):
        buffer.add("GrantsEnded", 1, {"cause": f"cause_{number}"}, spec=spec)
    buffer.flush()

    distinct = {line[Dimension.CAUSE] for line in lines()}
    assert len(distinct) <= sample_buffer.DIMENSION_VALUES_MAX + 1
    assert "other" in distinct


async def test_samples_of_concurrent_requests_keep_their_correlation_id(lines: Lines) -> None:
    async def request(number: int) -> None:
        with begin_request(function="f", correlation_id=f"request-{number}"):
            await asyncio.sleep(0)
            count(MetricName.ROWS_PURGED, number, rule="r")

    await asyncio.gather(*(request(number) for number in range(1, 11)))
    metrics.flush()

    assert {(line["correlation_id"], line["RowsPurged"][0]) for line in lines()} == {
        (f"request-{number}", float(number)) for number in range(1, 11)
    }


def test_totals_over_all_functions_are_written_beside_a_functions_own(lines: Lines) -> None:
    count(MetricName.SESSIONS_ENDED, cause="expired", client_family="claude")
    count(MetricName.GRANTS_ENDED, cause="expired")
    metrics.flush()

    sessions, grants = (line["_aws"]["CloudWatchMetrics"][0] for line in lines())
    assert sessions["Dimensions"] == [
        ["service", "stage", "cause", "client_family"],
        ["stage", "cause"],
        ["stage"],
    ]
    assert grants["Dimensions"] == [["service", "stage", "cause"], ["stage", "cause"]]


def test_samples_with_other_totals_do_not_share_a_line(lines: Lines) -> None:
    count(MetricName.KEY_UNUSABLE)
    count(MetricName.INVOCATIONS)
    metrics.flush()

    assert [sorted({"KeyUnusable", "Invocations"} & set(line)) for line in lines()] == [
        ["KeyUnusable"],
        ["Invocations"],
    ]
