"""Scales are round and hold every value; charts are drawn within their bounds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scripts.usage_report.charts import WIDTH, Axes, Series, columns, heat_map, lines
from scripts.usage_report.scales import every, number, ticks


@given(highest=st.floats(min_value=1e-3, max_value=1e9), whole=st.booleans())
def test_a_scale_begins_at_zero_holds_the_highest_value_and_has_few_lines(
    *, highest: float, whole: bool
) -> None:
    scale = ticks(highest, whole=whole)

    assert scale[0] == 0
    assert scale[-1] >= highest * (1 - 1e-6)
    assert 2 <= len(scale) <= 7
    assert not whole or all(value == round(value) for value in scale)


@pytest.mark.parametrize(
    ("value", "text"), [(0, "0"), (0.04, "0.04"), (1.5, "1.5"), (2.0, "2"), (12_345.6, "12,346")]
)
def test_a_number_is_written_for_people(value: float, text: str) -> None:
    assert number(value) == text


def test_names_at_the_foot_do_not_touch_each_other() -> None:
    names = [str(day) for day in range(366)]

    assert len(every(names, labels_max=10)) <= 10
    assert every(names[:3], labels_max=10) == [(0, "0"), (1, "1"), (2, "2")]


def test_what_is_drawn_is_in_words_and_escaped() -> None:
    axes = Axes(summary="<b>", names=["a & b"], unit="calls per day", foot="day, UTC")

    drawn = columns(axes, Series(name="x", values=[3], tone="tone-1"))

    assert 'aria-label="&lt;b&gt;"' in drawn
    assert "<title>a &amp; b: 3 x</title>" in drawn
    assert "calls per day" in drawn
    assert "day, UTC" in drawn


def test_a_gap_parts_a_line_and_a_lone_value_is_a_point() -> None:
    axes = Axes(summary="s", names=list("abcde"), unit="u", foot="f")

    drawn = lines(axes, Series(name="x", values=[1, 2, None, 4, None], tone="tone-1"))

    assert drawn.count("<polyline") == 2
    assert drawn.count("<circle") == 1


def test_columns_stand_between_the_axes_also_when_there_is_nothing() -> None:
    axes = Axes(summary="s", names=[str(day) for day in range(366)], unit="u", foot="f")

    drawn = columns(axes, Series(name="x", values=list(range(366)), tone="tone-1"))
    empty = columns(axes, Series(name="x", values=[0] * 366, tone="tone-1"))

    places = [float(x) for x in re.findall(r'<rect class="tone-1" x="([0-9.]+)"', drawn)]
    assert len(places) == 365
    assert 0 < min(places) < max(places) < WIDTH
    assert "<rect" not in empty


def test_the_busiest_hour_is_the_darkest() -> None:
    week = [[0.0] * 24 for _ in range(7)]
    week[2][9], week[3][9] = 10.0, 1.0

    drawn = heat_map("s", week, unit="calls")

    assert drawn.count("heat-5") == 1
    assert "Wed 09:00 to 10:00: 10 calls" in drawn
    assert drawn.count("heat-1") == 1
