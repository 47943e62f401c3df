"""The times of a refresh: each one ends before the next begins."""

from itertools import pairwise

from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_DEADLINE_SECONDS,
    REFRESH_LEASE_SECONDS,
    REFRESH_WATCHDOG_SECONDS,
    SITE_REPLAY_SECONDS,
    STORE_ACKNOWLEDGED_SECONDS,
)


def test_deadline_lease_watchdog_buffer_and_doubt_follow_each_other() -> None:
    in_order = [
        REFRESH_DEADLINE_SECONDS,
        REFRESH_LEASE_SECONDS,
        REFRESH_WATCHDOG_SECONDS,
        SITE_REPLAY_SECONDS,
        DOUBT_SECONDS_MAX,
    ]

    assert all(earlier < later for earlier, later in pairwise(in_order))


def test_a_pair_is_spilled_while_its_worker_still_holds_the_lease() -> None:
    assert REFRESH_DEADLINE_SECONDS + STORE_ACKNOWLEDGED_SECONDS < REFRESH_LEASE_SECONDS


def test_a_repeat_and_its_answer_fit_into_the_sites_buffer() -> None:
    assert REFRESH_WATCHDOG_SECONDS + REFRESH_DEADLINE_SECONDS < SITE_REPLAY_SECONDS
