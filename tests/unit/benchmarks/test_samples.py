from collections import Counter

import pytest

from scripts.benchmarks.samples import interleaved, percentile, ratio, summary


def test_a_summary_tells_the_median_and_the_range() -> None:
    found = summary([5.0, 1.0, 2.0, 100.0])

    assert (found.runs, found.median, found.least, found.most) == (4, 3.5, 1.0, 100.0)


@pytest.mark.parametrize(
    ("count", "percent", "expected"), [(100, 95, 95), (100, 50, 50), (20, 95, 19), (1, 95, 1)]
)
def test_a_percentile_is_a_value_that_was_measured(
    count: int, percent: float, expected: float
) -> None:
    assert percentile(range(count, 0, -1), percent) == expected


def test_nothing_is_compared_to_a_yardstick_of_nothing() -> None:
    assert ratio(3.0, 2.0) == 1.5
    assert ratio(3.0, 0.0) is None


def test_every_round_visits_everyone_and_begins_with_another_one() -> None:
    order = interleaved(3, ["a", "b", "c"])

    rounds = [order[:3], order[3:6], order[6:]]
    assert all(Counter(one) == Counter("abc") for one in rounds)
    assert [one[0] for one in rounds] == ["a", "b", "c"]
