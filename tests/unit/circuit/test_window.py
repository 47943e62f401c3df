from hypothesis import given, settings
from hypothesis import strategies as st

from shared.circuit.window import FAILED_AFTER_ALL, FAILURE, SUCCESS, WAITS_TOO_LONG, Counts, Window

COUNTS = st.sampled_from([SUCCESS, FAILURE, WAITS_TOO_LONG, FAILED_AFTER_ALL])
STEPS = st.lists(st.tuples(st.floats(0, 3), COUNTS), max_size=60)


def test_a_window_forgets_what_is_older_than_itself() -> None:
    window = Window(10.0).counted(FAILURE, 0.0).counted(SUCCESS, 9.9)
    assert window.totals(9.9, seconds=10.0) == Counts(calls=2, failures=1)
    assert window.totals(10.0, seconds=10.0) == Counts(calls=1)
    assert window.totals(20.0, seconds=10.0) == Counts()


def test_a_shorter_look_back_sees_less() -> None:
    window = Window(10.0).counted(SUCCESS, 1.0).counted(WAITS_TOO_LONG, 5.0)
    assert window.totals(5.0, seconds=4.0) == WAITS_TOO_LONG
    assert window.totals(5.0, seconds=10.0) == Counts(calls=2, slow=1)


def test_a_call_that_failed_after_it_was_slow_is_one_call() -> None:
    window = Window(10.0).counted(WAITS_TOO_LONG, 1.0).counted(FAILED_AFTER_ALL, 2.0)
    assert window.totals(2.0, seconds=10.0) == Counts(calls=1, failures=1, slow=1)


def test_a_clock_that_goes_back_loses_nothing() -> None:
    window = Window(10.0).counted(SUCCESS, 5.0).counted(FAILURE, 3.0)
    assert window.totals(5.0, seconds=10.0) == Counts(calls=2, failures=1)


@settings(max_examples=60)
@given(STEPS)
def test_totals_are_those_of_a_plain_list_and_the_window_stays_bounded(
    steps: list[tuple[float, Counts]],
) -> None:
    window, now, seen = Window(5.0), 0.0, []
    for pause, counts in steps:
        now += pause
        window = window.counted(counts, now)
        seen.append((now, counts))
        assert len(window.buckets) <= 5
        inside = [one for at, one in seen if int(at) > int(now) - 5]
        assert window.totals(now, seconds=5.0) == sum(inside, Counts())


@given(st.integers(0, 5), st.integers(0, 9))
def test_a_share_is_never_more_than_all(calls: int, failures: int) -> None:
    counts = Counts(calls=calls, failures=failures, slow=failures)
    assert 0 <= counts.failure_share <= 1
    assert 0 <= counts.slow_share <= 1
