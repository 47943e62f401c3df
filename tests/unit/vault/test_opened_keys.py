"""Opened keys: fresh for a while, held longer through an outage, few, and unseen."""

from shared.vault.opened_keys import (
    KEYS_CACHED_MAX,
    OUTAGE_RETRY_SECONDS,
    OUTAGE_SECONDS_MAX,
    OpenedKeys,
)

KEY = b"canary-of-a-data-key"


def opened() -> OpenedKeys:
    keys = OpenedKeys(cache_seconds=300)
    keys.put(1, KEY, now=1_000)
    return keys


def test_a_key_is_fresh_for_its_time() -> None:
    keys = opened()

    assert keys.fresh(1, now=1_299) == KEY
    assert keys.fresh(1, now=1_300) is None
    assert keys.fresh(2, now=1_000) is None


def test_a_stale_key_is_held_until_it_is_too_old_for_an_outage_too() -> None:
    keys = opened()

    assert keys.held(1, now=1_000 + OUTAGE_SECONDS_MAX - 1) == KEY
    assert keys.held(1, now=1_000 + OUTAGE_SECONDS_MAX) is None
    # Gone for good: a clock set back does not bring it up again.
    assert keys.held(1, now=1_000) is None


def test_during_an_outage_the_service_is_asked_seldom() -> None:
    keys = opened()

    assert keys.in_outage(1, now=1_400) == KEY
    assert keys.fresh(1, now=1_400 + OUTAGE_RETRY_SECONDS - 1) == KEY
    assert keys.fresh(1, now=1_400 + OUTAGE_RETRY_SECONDS) is None


def test_an_outage_does_not_make_a_key_live_longer() -> None:
    keys = opened()
    end = 1_000 + OUTAGE_SECONDS_MAX
    keys.in_outage(1, now=end - 1)

    assert keys.fresh(1, now=end) is None
    assert keys.in_outage(1, now=end) is None


def test_the_least_recently_used_key_goes_first() -> None:
    keys = opened()
    for generation in range(2, KEYS_CACHED_MAX + 1):
        keys.put(generation, KEY, now=1_000)
    keys.fresh(1, now=1_001)
    keys.put(KEYS_CACHED_MAX + 1, KEY, now=1_002)

    assert keys.held(1, now=1_002) == KEY
    assert keys.held(2, now=1_002) is None


def test_a_forgotten_key_is_gone() -> None:
    keys = opened()
    keys.put(2, KEY, now=1_000)

    keys.forget(1)
    assert (keys.held(1, now=1_000), keys.held(2, now=1_000)) == (None, KEY)
    keys.forget_all()
    assert keys.held(2, now=1_000) is None


def test_a_key_does_not_show_itself() -> None:
    keys = opened()

    assert "canary" not in f"{keys!r} {list(keys._keys.values())!r}"
