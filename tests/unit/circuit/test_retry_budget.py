import math

from hypothesis import given, settings
from hypothesis import strategies as st

from shared.circuit.deadline import ANSWER_SECONDS, Deadline
from shared.circuit.retry_budget import (
    RETRIES_MAX,
    WAIT_SECONDS_MAX,
    Access,
    FailedTry,
    RetryBudget,
    wait_before_retry,
)


def failed(**changes: object) -> FailedTry:
    facts: dict[str, object] = {
        "access": Access.READ,
        "retries_made": 0,
        "asked_wait_seconds": None,
        "took_seconds": 1.0,
    }
    return FailedTry(**{**facts, **changes})  # type: ignore[arg-type]  # a test's shorthand


def wait(
    one: FailedTry, *, left_seconds: float = math.inf, draw: float = 0.5, tokens: float = 10.0
) -> float | None:
    return wait_before_retry(
        one, RetryBudget(tokens), deadline=Deadline(left_seconds), now=0.0, draw=draw
    )


def test_a_read_is_tried_once_more_after_a_wait_of_full_jitter() -> None:
    assert wait(failed(), draw=0.0) == 0.0
    assert wait(failed(), draw=0.5) == WAIT_SECONDS_MAX / 2


def test_a_second_retry_is_never_made() -> None:
    assert wait(failed(retries_made=RETRIES_MAX)) is None


def test_what_may_have_written_is_never_tried_again() -> None:
    assert wait(failed(access=Access.WRITE)) is None


def test_an_empty_budget_allows_none() -> None:
    assert wait(failed(), tokens=0.9) is None


def test_the_wait_that_the_dependency_asks_for_is_kept() -> None:
    assert wait(failed(asked_wait_seconds=3.0), left_seconds=30, draw=0.0) == 3.0


def test_no_retry_that_the_deadline_cannot_hold() -> None:
    just_enough = 3.0 + 1.0 + ANSWER_SECONDS
    assert wait(failed(asked_wait_seconds=3.0), left_seconds=just_enough, draw=0.0) is not None
    assert wait(failed(asked_wait_seconds=3.0), left_seconds=just_enough - 0.1, draw=0.0) is None


@settings(max_examples=50)
@given(st.lists(st.booleans(), max_size=300))
def test_at_most_one_call_in_ten_is_a_repeat_once_the_budget_is_used_up(
    failures: list[bool],
) -> None:
    budget, retries = RetryBudget(), 0
    for fails in failures:
        if not fails:
            budget = budget.after_success()
        elif budget.allows_retry:
            budget, retries = budget.after_retry(), retries + 1
        assert 0 <= budget.tokens <= 10
    assert retries <= 10 + 0.1 * len(failures)
