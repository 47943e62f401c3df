"""Metrics in memory: right while they are there, and never too many."""

import pytest

from scripts.alarms.alarm import MetricKey, Statistic
from scripts.dev_view import metric_store
from scripts.dev_view.metric_store import MetricStore

KEY = MetricKey.of("DrupalizeMcp", "ToolDuration", {"stage": "local"})
BEGAN = 1_800_000_000.0


def value(store: MetricStore, name: str, *, begin: float = 0, end: float = 3_600) -> float | None:
    return store.value(Statistic(KEY, name), begin=BEGAN + begin, end=BEGAN + end)


def test_statistics_are_of_the_samples_between_two_moments() -> None:
    store = MetricStore()
    for number in range(100):
        store.add(KEY, number + 1.0, at=BEGAN + number * 6)
    store.add(KEY, 9_999.0, at=BEGAN + 3_600)

    assert value(store, "Sum") == 5_050.0
    assert value(store, "SampleCount") == 100.0
    assert value(store, "Maximum") == 100.0
    assert [value(store, name) for name in ("p50", "p95", "p99")] == [50.0, 95.0, 99.0]
    assert value(store, "Sum", begin=60, end=120) == sum(range(11, 21))
    assert value(store, "Sum", begin=7_200, end=9_000) is None
    with pytest.raises(ValueError, match="Odd"):
        value(store, "Odd")


def test_the_oldest_minutes_go_and_their_series_with_the_last(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metric_store, "MINUTES_MAX", 3)
    store = MetricStore()
    other = MetricKey.of("DrupalizeMcp", "Faults", {})
    for minute, key in enumerate([KEY, KEY, other, other, other]):
        store.add(key, 1.0, at=BEGAN + minute * 60)

    assert [one.key for one in store.series()] == [other]


def test_too_many_series_are_refused_and_values_of_a_minute_are_kept_up_to_a_bound(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(metric_store, "SERIES_MAX", 1)
    monkeypatch.setattr(metric_store, "VALUES_PER_MINUTE_MAX", 10)
    store = MetricStore()
    for number in range(100):
        store.add(KEY, float(number), at=BEGAN)
    store.add(MetricKey.of("X", "Y", {}), 1.0, at=BEGAN)

    assert value(store, "Sum") == sum(range(100))
    assert value(store, "p99") == 9.0
    assert store.refused_samples == 1
