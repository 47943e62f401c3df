"""Whose pairs the schedule refreshes, how many at once, and what keeps an idle person signed in."""

import asyncio
from dataclasses import replace

import pytest

from functions.token_refresh.refresh_tick import RefreshTick
from shared.domain.refresh_times import (
    KEEP_ALIVE_JITTER_SECONDS_MAX,
    KEEP_ALIVE_SECONDS,
    SITE_REFRESH_TOKEN_SECONDS,
)
from shared.settings import RefreshSettings
from shared.state import grants, refresh_allowances
from shared.state.refresh_allowances import BURST_SECONDS, Pace
from shared.workflows.refresh_grant import RefreshOutcome
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld

HOUR = 3_600
DAY = 86_400
DUE_BY = HOUR - 300
SEEN_SECONDS = RefreshSettings.model_fields["refresh_seen_days_max"].default * DAY


def pace_of(world: UpstreamWorld, *, refreshes: int) -> Pace:
    """So many, at once and again after every ``BURST_SECONDS``."""
    return Pace(
        site=world.site.base_url,
        per_second=refreshes / BURST_SECONDS,
        seen_within_seconds=SEEN_SECONDS,
    )


def tick_of(world: UpstreamWorld, *, pace: Pace | None = None) -> RefreshTick:
    return RefreshTick(
        world.own.database,
        world.own.refresher,
        batch_max=100,
        concurrency_max=3,
        seconds_left=lambda: 60.0,
        pace=pace or pace_of(world, refreshes=100),
    )


async def refreshed(world: UpstreamWorld, *, pace: Pace | None = None) -> int:
    return (await tick_of(world, pace=pace).run())["refreshed"]


async def sign_in(world: UpstreamWorld, *, life_seconds: int = HOUR) -> SignedIn:
    world.drupal.control.set(access_token_seconds=life_seconds)
    return await world.sign_in("maya")


def pass_time(world: UpstreamWorld, clock: DatabaseClock, seconds: float) -> None:
    """For the site and for us."""
    clock.advance(seconds)
    world.drupal.control.advance(seconds)


async def test_who_was_not_seen_for_a_week_is_not_refreshed_ahead(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await sign_in(world, life_seconds=30 * DAY)
    clock.advance(SEEN_SECONDS - 1)
    async with world.own.database.autocommit() as tx:
        await tx.execute("UPDATE app.grants SET refresh_at = app.now(), keep_alive_at = NULL")
    assert await refreshed(world) == 1

    clock.advance(2)
    async with world.own.database.autocommit() as tx:
        await tx.execute("UPDATE app.grants SET refresh_at = app.now(), keep_alive_at = NULL")
    assert await refreshed(world) == 0

    # Off the schedule, and back on it as soon as a call has refreshed the pair.
    assert (await world.row(signed_in))["refresh_at"] is None
    generation = (await world.grant(signed_in)).pair_generation
    outcome = await world.own.refresher.refresh(signed_in.grant_id, generation)
    assert outcome is RefreshOutcome.REFRESHED
    assert (await world.row(signed_in))["refresh_at"] is not None


async def test_a_pair_that_nobody_needs_is_kept_alive(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await sign_in(world, life_seconds=300)

    pass_time(world, clock, KEEP_ALIVE_SECONDS)

    assert KEEP_ALIVE_SECONDS < SITE_REFRESH_TOKEN_SECONDS
    assert await refreshed(world) == 1
    assert await refreshed(world) == 0
    assert (await world.grant(signed_in)).pair_generation == 2


@pytest.mark.parametrize("days", [1, 2, 30, 180])
async def test_a_site_with_another_life_of_refresh_tokens_is_asked_after_half_of_it(
    world: UpstreamWorld, clock: DatabaseClock, days: int
) -> None:
    signed_in = await sign_in(world, life_seconds=300)
    await world.own.refresher.refresh(signed_in.grant_id, 1)
    pace = replace(pace_of(world, refreshes=100), refresh_token_seconds=days * DAY)
    # The site's own clock stays: it would forget the pair after fourteen days.
    clock.advance(days * DAY / 2 - KEEP_ALIVE_JITTER_SECONDS_MAX - 60)
    early = await refreshed(world, pace=pace)
    clock.advance(KEEP_ALIVE_JITTER_SECONDS_MAX + 120)

    assert (early, await refreshed(world, pace=pace), await refreshed(world, pace=pace)) == (
        0,
        1,
        0,
    )


async def test_a_suspended_grant_is_kept_alive_too(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await sign_in(world, life_seconds=300)
    async with world.own.database.transaction() as tx:
        await grants.suspend(tx, grant_id=signed_in.grant_id, seconds=300)

    pass_time(world, clock, KEEP_ALIVE_SECONDS)

    assert await refreshed(world) == 1


async def test_after_a_mass_expiry_the_site_gets_no_more_than_its_pace(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    for _ in range(8):
        await sign_in(world)
    pace = pace_of(world, refreshes=5)
    clock.advance(DUE_BY)

    assert await refreshed(world, pace=pace) == 5
    assert await refreshed(world, pace=pace) == 0
    clock.advance(BURST_SECONDS)
    assert await refreshed(world, pace=pace) == 3


async def test_ticks_at_once_share_one_allowance(world: UpstreamWorld) -> None:
    pace = pace_of(world, refreshes=10)
    workers = [world.worker() for _ in range(4)]

    async def take(number: int) -> int:
        async with workers[number].database.transaction() as tx:
            return await refresh_allowances.take(tx, pace, wanted=4)

    assert sorted(await asyncio.gather(*(take(number) for number in range(4)))) == [0, 2, 4, 4]


async def test_what_was_not_needed_is_there_for_the_next_tick(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    pace = pace_of(world, refreshes=2)
    assert await refreshed(world, pace=pace) == 0
    await sign_in(world)
    clock.advance(DUE_BY)

    assert await refreshed(world, pace=pace) == 1
