"""A ratio divides what it says it divides, and says nothing of too few."""

import pytest

from scripts.usage_report import ratios
from scripts.usage_report.ratios import RATIOS, Ratio
from scripts.usage_report.resources import Resource
from shared.state.usage_report import Counts, PeopleCounted

COUNTED = {*Counts.__dataclass_fields__, *PeopleCounted.__dataclass_fields__, *Resource}


@pytest.mark.parametrize("ratio", RATIOS, ids=lambda ratio: ratio.title)
def test_every_ratio_is_of_what_is_counted_and_has_a_least_number(ratio: Ratio) -> None:
    assert {ratio.numerator, ratio.denominator} <= COUNTED
    assert ratio.least > 0
    assert ratio.numerator_words
    assert ratio.denominator_words


def test_every_ratio_of_the_module_is_in_its_list() -> None:
    assert {value for value in vars(ratios).values() if isinstance(value, Ratio)} == set(RATIOS)


def test_days_are_summed_before_they_are_divided() -> None:
    quiet, busy = Counts(searches=10, empty_searches=10), Counts(searches=90, empty_searches=0)

    assert ratios.ZERO_RESULTS.of(quiet, busy).text == "10.0 %"
    assert ratios.MEAN_RANK.of(Counts(ranked_readings=10, ranks_total=25)).text == "2.50"


@pytest.mark.parametrize(("searches", "told"), [(0, None), (19, None), (20, 0.05)])
def test_too_few_samples_tell_nothing(searches: int, told: float | None) -> None:
    found = ratios.ZERO_RESULTS.of(Counts(searches=searches, empty_searches=1))

    assert found.value == told
    assert (found.text == "too few") is (told is None)
