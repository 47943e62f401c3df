"""What an alarm makes of numbers, as CloudWatch does it: periods, datapoints, missing data.

Periods end at a whole minute and slide: an alarm of five minutes looks, every minute, at the last
five (CloudWatch User Guide, "Alarm evaluation"). It simplifies one thing: CloudWatch may look a
little further back for datapoints that came late.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from scripts.alarms.alarm import JUDGED, Alarm, MissingData, Statistic
from scripts.alarms.expression import Value, evaluate, names_in

MINUTE_SECONDS: Final = 60


class AlarmState(StrEnum):
    """CloudWatch's three."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class Numbers(Protocol):
    """Whatever has measured."""

    def value(self, statistic: Statistic, *, begin: float, end: float) -> Value:
        """The statistic of the samples from ``begin`` to before ``end``, in epoch seconds."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A state and why."""

    state: AlarmState
    reason: str


@dataclass(frozen=True, slots=True)
class _Point:
    value: Value
    breaches: bool | None
    """None: nothing can be said of this period."""


def judged(alarm: Alarm, values: Mapping[str, Value]) -> Value:
    """The value that is compared with the threshold, where the statistics have these values."""

    def value_of(query_id: str) -> Value:
        query = alarm.queries[query_id]
        if isinstance(query, Statistic):
            return values.get(query_id)
        return evaluate(query, {name: value_of(name) for name in names_in(query)})

    return value_of(JUDGED)


def judge(alarm: Alarm, numbers: Numbers, *, now: float, watched_since: float) -> Verdict:
    """The alarm's state at the last whole minute before ``now``.

    Of a period without data that began before ``watched_since`` nothing can be said: nobody was
    there to see any.
    """
    end = now // MINUTE_SECONDS * MINUTE_SECONDS
    points = []
    for number in range(alarm.evaluation_periods):
        period_end = end - number * alarm.period_seconds
        begin = period_end - alarm.period_seconds
        if period_end <= watched_since:
            break
        points.append(_point(alarm, numbers, begin, period_end, seen=begin >= watched_since))
    known = [point for point in points if point.breaches is not None]
    breaching = [point for point in known if point.breaches]
    if len(breaching) >= alarm.datapoints_to_alarm:
        return Verdict(AlarmState.ALARM, _because(alarm, breaching))
    if not known:
        return Verdict(AlarmState.INSUFFICIENT_DATA, "watched for less than a period")
    return Verdict(AlarmState.OK, _because(alarm, known))


def _point(alarm: Alarm, numbers: Numbers, begin: float, end: float, *, seen: bool) -> _Point:
    values = {
        name: numbers.value(statistic, begin=begin, end=end)
        for name, statistic in alarm.statistics().items()
    }
    value = judged(alarm, values)
    if value is not None:
        return _Point(value, alarm.breaches(value))
    return _Point(None, alarm.missing_data is MissingData.BREACHING if seen else None)


def _because(alarm: Alarm, points: list[_Point]) -> str:
    newest = points[0].value
    shown = "no data" if newest is None else f"{newest:.4g}"
    breaching = sum(1 for point in points if point.breaches)
    needed = f"{breaching} of {alarm.datapoints_to_alarm} needed datapoints"
    return f"{shown}, breach at {alarm.operator} {alarm.threshold:g}; {needed}"
