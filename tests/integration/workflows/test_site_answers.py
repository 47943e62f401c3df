"""What Drupal may answer to a refresh, and what comes of it: a table."""

from typing import NamedTuple

import pytest

from functions.token_refresh.refresh_tick import RefreshTick
from shared.domain.grants import LIFE_SECONDS_MAX
from shared.upstream.failures import UpstreamMisconfiguredError
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld

CALLS = 5


def tick_with(world: UpstreamWorld, refresher: GrantRefresher) -> RefreshTick:
    return RefreshTick(
        world.own.database,
        refresher,
        batch_max=100,
        concurrency_max=1,
        seconds_left=lambda: 60.0,
    )


class Life(NamedTuple):
    """A value of ``expires_in``, the life that is stored, and whether the schedule refreshes it."""

    told: int | float | str
    stored_seconds: int
    scheduled: bool


LIVES = [
    Life(60, 60, scheduled=False),
    Life(300, 300, scheduled=False),
    Life("missing", 300, scheduled=False),
    Life(-5, 300, scheduled=False),
    Life("3600", 3_600, scheduled=True),
    Life(1e12, LIFE_SECONDS_MAX, scheduled=True),
]


@pytest.mark.parametrize("life", LIVES, ids=lambda life: str(life.told))
async def test_any_life_is_stored_sanely_and_makes_nobody_thrash(
    world: UpstreamWorld, clock: DatabaseClock, life: Life
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.set(expires_in=life.told)

    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)
    grant, row = await world.grant(signed_in), await world.row(signed_in)
    for _ in range(CALLS):
        assert await search(world, signed_in) > 0
    await tick_with(world, world.own.refresher).run()

    stored = (grant.access_expires_at - row["now"]).total_seconds()
    assert outcome is RefreshOutcome.REFRESHED
    assert life.stored_seconds - 5 < stored <= life.stored_seconds
    assert (row["refresh_at"] is not None) is life.scheduled
    if life.scheduled:
        assert (row["refresh_at"] - row["now"]).total_seconds() > life.stored_seconds / 2 - 5
    assert world.drupal.control.count(REFRESHES) == 1, "once for the refresh, not for a call"


async def test_a_refused_client_stops_the_tick_and_signs_nobody_out(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    world.drupal.control.set(access_token_seconds=3_600)
    everybody = [await world.sign_in(name) for name in ("maya", "felix", "maya")]
    stranger = type(world.own.oauth)(
        type(world.site)(base_url=world.site.base_url, client_id="nobody", client_secret="x")
    )
    refresher = GrantRefresher(world.own.database, world.own.vault, stranger)
    clock.advance(3_400)

    with pytest.raises(UpstreamMisconfiguredError):
        await refresher.refresh(everybody[0].grant_id, 1)
    await tick_with(world, refresher).run()

    assert len(world.drupal.control.requests("token")) == 2, "the tick stops at the first"
    rows = [await world.row(one) for one in everybody]
    assert [row["status"] for row in rows] == ["active"] * 3
    assert [row["lease_owner"] for row in rows] == [None] * 3


async def test_an_early_close_after_processing_parks_then_ends_apart_and_alone(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in, other = await world.sign_in(), await world.sign_in("felix")
    world.drupal.control.fail("close_after", route="token")

    parked = [await world.own.refresher.refresh(signed_in.grant_id, 1) for _ in range(2)]
    clock.advance(121)
    ended = await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert parked == [RefreshOutcome.INDETERMINATE] * 2
    assert ended is RefreshOutcome.REJECTED
    assert (await world.row(signed_in))["ended_cause"] == "reply_lost"
    assert ("grant:ended", {"cause": "reply_lost"}) in await world.audit()
    assert await world.own.refresher.refresh(other.grant_id, 1) is RefreshOutcome.REFRESHED


async def test_a_blocked_account_is_refreshed_once_and_then_left_alone(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")

    for _ in range(CALLS):
        with pytest.raises(Exception, match="account"):
            await search(world, signed_in)

    assert world.drupal.control.count(REFRESHES) == 1
    assert (await world.row(signed_in))["status"] == "suspended"
