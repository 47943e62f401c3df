"""Many people's tokens end at once: the site is asked by and by, people first, nobody signs in."""

import asyncio
from collections import Counter

from shared.state.refresh_allowances import BURST_SECONDS
from tests.integration.token_refresh.test_refresh_pace import DUE_BY, HOUR, pace_of, tick_of
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld

PEOPLE = 24
CALLING = 6
PER_MINUTE = 5


async def state_of_grants(world: UpstreamWorld) -> Counter[str]:
    async with world.own.database.autocommit() as tx:
        rows = await tx.rows("SELECT status FROM app.grants")
    return Counter(row["status"] for row in rows)


async def expire(world: UpstreamWorld, clock: DatabaseClock, seconds: float) -> list[SignedIn]:
    """So many people, whose tokens all end together."""
    world.drupal.control.set(access_token_seconds=HOUR)
    people = [await world.sign_in("maya") for _ in range(PEOPLE)]
    clock.advance(seconds)
    world.drupal.control.advance(seconds)
    world.drupal.control.clear_requests()
    return people


async def test_after_a_mass_expiry_people_who_call_go_first_and_the_rest_follows_at_the_sites_pace(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    people = await expire(world, clock, HOUR + 1)
    tick = tick_of(world, pace=pace_of(world, refreshes=PER_MINUTE))
    asked = world.drupal.control

    assert (await tick.run())["refreshed"] == PER_MINUTE
    assert (await tick.run())["refreshed"] == 0, "the site's minute is used up"
    before = asked.count(REFRESHES)
    calling = [one for one in people if (await world.grant(one)).pair_generation == 1][:CALLING]
    answers = await asyncio.gather(*(search(world, one) for one in calling))

    assert all(total > 0 for total in answers)
    assert asked.count(REFRESHES) - before == CALLING, "one each, and at once"

    in_each_minute: list[int] = []
    while sum(in_each_minute) < PEOPLE - CALLING - PER_MINUTE:
        assert len(in_each_minute) < PEOPLE, "it goes on"
        clock.advance(BURST_SECONDS)
        in_each_minute.append((await tick.run())["refreshed"])
    assert in_each_minute == [5, 5, 3]
    assert asked.count(REFRESHES) == PEOPLE, "nobody twice"
    assert await state_of_grants(world) == {"active": PEOPLE}


async def test_a_person_who_calls_while_the_schedule_is_at_theirs_waits_for_it_and_no_longer(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    (person, *_) = await expire(world, clock, DUE_BY + 400)
    tick = tick_of(world, pace=pace_of(world, refreshes=PEOPLE))

    counts, answer = await asyncio.gather(tick.run(), search(world, person, world.worker()))

    assert answer > 0
    assert counts["indeterminate"] == 0
    assert world.drupal.control.count(REFRESHES) == PEOPLE
    assert await state_of_grants(world) == {"active": PEOPLE}


async def test_tokens_that_the_site_dropped_all_at_once_come_back_by_the_calls_that_need_them(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    people = await expire(world, clock, 60)
    world.drupal.control.save_user("maya")  # as after clearing its access tokens
    calling = people[:CALLING]

    answers = await asyncio.gather(*(search(world, one) for one in calling))
    counts = await tick_of(world, pace=pace_of(world, refreshes=PER_MINUTE)).run()

    assert all(total > 0 for total in answers)
    assert world.drupal.control.count(REFRESHES) == CALLING
    assert counts["refreshed"] == 0, "the others' pairs are not due: their first call finds out"
    assert await state_of_grants(world) == {"active": PEOPLE}
