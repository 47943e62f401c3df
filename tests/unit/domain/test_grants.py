"""When pairs are refreshed, and how untrusted lifetimes are read."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.domain import grants

START = datetime(2026, 1, 1, tzinfo=UTC)


@given(st.integers(1, grants.LIFE_SECONDS_MAX), st.floats(0, 1))
def test_a_refresh_is_due_in_the_second_half_of_a_life_and_before_its_end(
    life_seconds: int, jitter: float
) -> None:
    due = grants.refresh_due_at(issued_at=START, life_seconds=life_seconds, jitter=jitter)

    if due is None:
        assert life_seconds <= grants.ON_DEMAND_LIFE_SECONDS_MAX
    else:
        assert timedelta(seconds=life_seconds / 2) <= due - START < timedelta(seconds=life_seconds)


def test_an_hour_s_pair_is_refreshed_five_minutes_before_its_end() -> None:
    due = grants.refresh_due_at(issued_at=START, life_seconds=3_600, jitter=0.0)

    assert due == START + timedelta(minutes=55)


@pytest.mark.parametrize(
    ("expires_in", "life_seconds"),
    [
        (300, 300),
        ("3600", 3_600),
        (59.9, 59),
        (1e12, grants.LIFE_SECONDS_MAX),
        (None, grants.DEFAULT_LIFE_SECONDS),
        (-5, grants.DEFAULT_LIFE_SECONDS),
        (0, grants.DEFAULT_LIFE_SECONDS),
        ("soon", grants.DEFAULT_LIFE_SECONDS),
        (float("inf"), grants.DEFAULT_LIFE_SECONDS),
        (float("nan"), grants.DEFAULT_LIFE_SECONDS),
        (True, grants.DEFAULT_LIFE_SECONDS),
        ([], grants.DEFAULT_LIFE_SECONDS),
    ],
)
def test_an_untrusted_lifetime_is_read_with_care(expires_in: object, life_seconds: int) -> None:
    assert grants.sane_life_seconds(expires_in) == life_seconds
