from scripts.benchmarks.breaker import outage
from scripts.benchmarks.breaker.caller_process import Call


def ok(began: float, seconds: float = 0.1) -> Call:
    return Call(began, began + seconds, "ok")


def refused(began: float) -> Call:
    return Call(began, began + 0.001, "refused")


def test_the_fleet_refuses_from_the_moment_on_in_which_its_last_process_does() -> None:
    assert outage.refused_since([[ok(1), refused(5)], [refused(6), refused(9)]], 2.0) == 4.0
    assert outage.refused_since([[refused(5)], [ok(1)]], 2.0) is None


def test_calls_out_at_one_moment_are_counted_and_refused_ones_are_not_out() -> None:
    calls = [ok(1, 3), ok(2, 3), refused(2.5), ok(4.5, 1), ok(20, 9)]
    assert outage.at_once_max(calls, since=0, until=10) == 2
    assert outage.at_once_max(calls, since=3, until=10) == 1


def test_service_is_full_after_the_last_refusal_if_good_calls_follow_for_a_while() -> None:
    assert outage.full_after([refused(12), ok(13), ok(15)], 10.0) == 2.0
    assert outage.full_after([refused(12), ok(13)], 10.0) is None
    assert outage.full_after([], 10.0) is None


def test_a_failure_before_the_timeout_is_not_the_sites() -> None:
    early, late = Call(1, 2, "failed"), Call(1, 9.01, "failed")
    assert outage.failed_early([early, late, ok(1)], before=5) == 1
    assert outage.failed_early([early], before=0.5) == 0


def test_only_refusals_are_timed_as_such() -> None:
    assert [round(one) for one in outage.refusal_milliseconds([ok(1), refused(2)])] == [1]
