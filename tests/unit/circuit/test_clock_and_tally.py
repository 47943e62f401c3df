from hypothesis import given, settings
from hypothesis import strategies as st

from shared.circuit.clock import FreezeAwareClock
from shared.circuit.fleet import (
    ATTENTIVE_SECONDS,
    REPORT_SECONDS,
    SAMPLED_CALLS,
    STALE_SECONDS,
    Tally,
)
from shared.domain.circuits import CallReport


def clock_over(monotonic: list[float], wall: list[float]) -> FreezeAwareClock:
    return FreezeAwareClock(lambda: monotonic.pop(0), lambda: wall.pop(0))


def test_a_freeze_that_only_the_wall_clock_has_seen_counts() -> None:
    clock = clock_over([0.0, 1.0], [100.0, 400.0])
    assert clock() == 300.0


def test_a_wall_clock_that_is_set_back_changes_nothing() -> None:
    clock = clock_over([0.0, 2.0], [100.0, 50.0])
    assert clock() == 2.0


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)), min_size=2, max_size=30))
def test_the_clock_never_goes_back(steps: list[tuple[float, float]]) -> None:
    clock = clock_over([one for one, _ in steps], [other for _, other in steps])
    seen = [clock() for _ in steps[1:]]
    assert seen == sorted(seen)


def test_while_all_is_well_one_success_in_twenty_is_told_and_stands_for_all() -> None:
    draws = iter([0.5] * 19 + [0.01])
    tally = Tally(lambda: next(draws))
    for _ in range(19):
        tally.count(0.0, failed=False)
    assert tally.due_in(0.0) is None
    tally.count(0.0, failed=False)
    assert tally.take(0.0) == CallReport(calls=SAMPLED_CALLS, failures=0)


def test_after_a_failure_every_call_is_counted_for_a_while() -> None:
    tally = Tally(lambda: 0.5)
    tally.count(0.0, failed=True)
    for _ in range(3):
        tally.count(ATTENTIVE_SECONDS / 2, failed=False)
    assert tally.take(ATTENTIVE_SECONDS / 2) == CallReport(calls=4, failures=1)
    tally.count(ATTENTIVE_SECONDS, failed=False)
    assert tally.due_in(ATTENTIVE_SECONDS) is None


def test_reports_are_a_second_apart() -> None:
    tally = Tally(lambda: 0.5)
    tally.count(0.0, failed=True)
    assert (tally.due_in(0.0) or 0) < REPORT_SECONDS / 10
    tally.take(0.0)
    tally.count(0.25, failed=True)
    assert tally.due_in(0.25) == 0.75


def test_what_a_freeze_has_made_old_is_not_told() -> None:
    tally = Tally(lambda: 0.5)
    tally.count(0.0, failed=True)
    assert tally.due_in(STALE_SECONDS + 1) is None
    tally.count(STALE_SECONDS + 2, failed=True)
    assert tally.take(STALE_SECONDS + 2) == CallReport(calls=1, failures=1)
