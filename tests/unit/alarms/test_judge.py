"""From samples to states: periods, datapoints, missing data, and what gathers them."""

import pytest

from scripts.alarms.alarm import Alarm, MetricKey, alarm_of
from scripts.alarms.board import AlarmBoard
from scripts.alarms.judge import AlarmState, judge
from scripts.alarms.template_alarms import template_alarms
from scripts.dev_view.metric_store import MetricStore

BEGAN = 1_800_000_000.0
METRIC = MetricKey.of("DrupalizeMcp", "Faults", {"stage": "local"})
OK, ON, UNKNOWN = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA


def alarm(**changes: object) -> Alarm:
    properties = {
        "AlarmDescription": "Something; docs/runbooks/slow.md",
        "Namespace": "DrupalizeMcp",
        "MetricName": "Faults",
        "Dimensions": [{"Name": "stage", "Value": "local"}],
        "Statistic": "Sum",
        "Period": 300,
        "EvaluationPeriods": 3,
        "Threshold": 2,
        "ComparisonOperator": "GreaterThanOrEqualToThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }
    return alarm_of("Some", properties)


def state(given: Alarm, samples: dict[int, float], *, minute: int) -> AlarmState:
    """The state at a minute, where these minutes had these values."""
    store = MetricStore()
    for at, value in samples.items():
        store.add(METRIC, value, at=BEGAN + at * 60)
    return judge(given, store, now=BEGAN + minute * 60 + 5, watched_since=BEGAN).state


def test_every_period_has_to_breach_and_the_window_slides_by_minutes() -> None:
    samples = {2: 2.0, 7: 1.0, 8: 1.0, 12: 5.0}

    assert state(alarm(), samples, minute=12) is OK
    assert state(alarm(), samples, minute=15) is ON
    assert state(alarm(), samples, minute=18) is OK


def test_as_many_datapoints_as_are_asked_for_are_enough() -> None:
    assert state(alarm(DatapointsToAlarm=1), {7: 2.0}, minute=15) is ON
    assert state(alarm(DatapointsToAlarm=2), {7: 2.0}, minute=15) is OK


def test_the_minute_under_way_does_not_count() -> None:
    one = alarm(EvaluationPeriods=1)

    assert state(one, {5: 9.0}, minute=5) is OK
    assert state(one, {5: 9.0}, minute=6) is ON


def test_no_data_is_what_the_template_says_it_is() -> None:
    silent = {"EvaluationPeriods": 1, "ComparisonOperator": "LessThanThreshold"}

    assert state(alarm(EvaluationPeriods=1), {}, minute=5) is OK
    assert state(alarm(**silent, TreatMissingData="breaching"), {}, minute=5) is ON
    assert state(alarm(**silent, TreatMissingData="breaching"), {1: 4.0}, minute=5) is OK


def test_of_the_time_before_anybody_watched_nothing_is_said() -> None:
    missed = alarm(EvaluationPeriods=1, TreatMissingData="breaching")

    assert state(missed, {}, minute=4) is UNKNOWN
    assert state(missed, {1: 2.0}, minute=4) is ON


def test_the_board_tells_since_when_and_a_composite_alarm_because_of_which() -> None:
    store = MetricStore()
    board = AlarmBoard(template_alarms(), store, watched_since=BEGAN)
    key = MetricKey.of("AWS/Lambda", "Throttles", {"FunctionName": "oauth"})
    rounds = {"service": "canary", "stage": "local", "outcome": "failed"}
    canary = MetricKey.of("DrupalizeMcp", "CanaryRounds", rounds)
    for minute in range(1, 6):
        board.look(BEGAN + minute * 60)
        store.add(key, 1.0, at=BEGAN + minute * 60)
        store.add(canary, 1.0, at=BEGAN + minute * 60)
    found = {one.name: one for one in board.standings()}

    assert len(found) == len(template_alarms().alarms) + len(template_alarms().composites)
    assert board.state("OAuthThrottled") is ON
    assert found["OAuthThrottled"].since == BEGAN + 120
    assert found["CanaryFails"].since == BEGAN + 180
    assert found["PeopleNotServed"].verdict.reason == "because of CanaryFails"
    assert board.state("DrupalNotServing") is OK
    assert [one.name for one in board.changes if one.at <= BEGAN + 180] == [
        "OAuthThrottled",
        "CanaryFails",
        "PeopleNotServed",
    ]


@pytest.mark.parametrize("broken", [{"ComparisonOperator": "Odd"}, {"TreatMissingData": "ignore"}])
def test_an_alarm_that_cannot_be_judged_here_is_refused(broken: dict[str, str]) -> None:
    with pytest.raises((KeyError, ValueError)):
        alarm(**broken)
