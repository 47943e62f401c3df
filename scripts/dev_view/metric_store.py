"""Metrics in memory, by minute, as CloudWatch keeps them; bounded in every direction.

Values are kept for percentiles while there is room; sums and counts are always right.
"""

import math
from array import array
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from scripts.alarms.alarm import MetricKey, Statistic
from scripts.alarms.expression import Value
from scripts.alarms.judge import MINUTE_SECONDS

SERIES_MAX: Final = 2_000
MINUTES_MAX: Final = 200_000
"""Of all series together: about 50 MB. The oldest go first."""
VALUES_PER_MINUTE_MAX: Final = 500
"""Of one series: percentiles are of the first so many."""


@dataclass(slots=True)
class Minute:
    """The samples of one series in one minute."""

    count: int = 0
    total: float = 0.0
    high: float = -math.inf
    values: "array[float]" = field(default_factory=lambda: array("d"))

    def add(self, value: float) -> None:
        """Take one sample in."""
        self.count += 1
        self.total += value
        self.high = max(self.high, value)
        if len(self.values) < VALUES_PER_MINUTE_MAX:
            self.values.append(value)


@dataclass(slots=True)
class Series:
    """One metric with its dimensions; minutes by their number since the epoch."""

    key: MetricKey
    unit: str
    minutes: dict[int, Minute] = field(default_factory=dict)

    def between(self, begin: float, end: float) -> Iterator[Minute]:
        """The minutes that began from ``begin`` to before ``end``, in epoch seconds."""
        first, past = math.ceil(begin / MINUTE_SECONDS), math.ceil(end / MINUTE_SECONDS)
        if past - first < len(self.minutes):
            found = (self.minutes.get(number) for number in range(first, past))
            yield from (minute for minute in found if minute is not None)
        else:
            yield from (one for number, one in self.minutes.items() if first <= number < past)


class MetricStore:
    """All series of this machine."""

    def __init__(self) -> None:
        self._series: dict[MetricKey, Series] = {}
        self._oldest_first: deque[tuple[Series, int]] = deque()
        self.refused_samples = 0
        """Of series beyond ``SERIES_MAX``."""

    def add(self, key: MetricKey, value: float, *, at: float, unit: str = "Count") -> None:
        """Take in a sample of epoch second ``at``."""
        series = self._series.get(key)
        if series is None:
            if len(self._series) >= SERIES_MAX:
                self.refused_samples += 1
                return
            series = self._series[key] = Series(key, unit)
        number = int(at // MINUTE_SECONDS)
        minute = series.minutes.get(number)
        if minute is None:
            minute = series.minutes[number] = Minute()
            self._oldest_first.append((series, number))
            self._forget_the_oldest()
        minute.add(value)

    def value(self, statistic: Statistic, *, begin: float, end: float) -> Value:
        """The statistic of the minutes from ``begin`` to before ``end``; None: no sample."""
        series = self._series.get(statistic.metric)
        minutes = [] if series is None else list(series.between(begin, end))
        return statistic_of(minutes, statistic.name) if minutes else None

    def series(self) -> list[Series]:
        """All series."""
        return list(self._series.values())

    def clear(self) -> None:
        """Forget every sample."""
        self._series.clear()
        self._oldest_first.clear()

    def _forget_the_oldest(self) -> None:
        while len(self._oldest_first) > MINUTES_MAX:
            series, number = self._oldest_first.popleft()
            series.minutes.pop(number, None)
            if not series.minutes:
                self._series.pop(series.key, None)


def statistic_of(minutes: Iterable[Minute], name: str) -> float:
    """One of CloudWatch's statistics over some minutes.

    Raises:
        ValueError: there is none of this name.
    """
    minutes = list(minutes)
    match name:
        case "Sum":
            return sum(minute.total for minute in minutes)
        case "SampleCount":
            return float(sum(minute.count for minute in minutes))
        case "Maximum":
            return max(minute.high for minute in minutes)
    if not name.startswith("p"):
        raise ValueError(name)
    return percentile(sorted(one for minute in minutes for one in minute.values), float(name[1:]))


def percentile(values: list[float], percent: float) -> float:
    """The nearest rank in sorted values, of which there is at least one."""
    rank = math.ceil(len(values) * percent / 100)
    return values[max(rank, 1) - 1]
