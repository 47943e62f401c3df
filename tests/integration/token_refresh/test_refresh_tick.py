"""One tick of the schedule over grants in every state."""

from collections.abc import Sequence

import pytest

from functions.token_refresh import refresh_tick
from functions.token_refresh.refresh_tick import RefreshQueue, RefreshTick
from functions.token_refresh.time_to_begin import BEGIN_SECONDS_MIN
from shared.domain.sessions import EndCause
from shared.queue.messages import RefreshMessage
from shared.state import grants
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import GrantRefresher
from tests.integration.token_refresh.faulty import FaultyRefresher
from tests.support.clock import DatabaseClock
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import SignedIn, UpstreamWorld

HOUR = 3_600
DUE_BY = HOUR - 300


def tick_of(
    world: UpstreamWorld,
    *,
    batch_max: int = 100,
    concurrency_max: int = 3,
    seconds_left: float = 60.0,
    queue: RefreshQueue | None = None,
    inline_max: int = 0,
) -> RefreshTick:
    return RefreshTick(
        world.own.database,
        world.own.refresher,
        batch_max=batch_max,
        concurrency_max=concurrency_max,
        seconds_left=lambda: seconds_left,
        queue=queue,
        inline_max=inline_max,
    )


async def sign_in_for_an_hour(world: UpstreamWorld, name: str = "maya") -> SignedIn:
    world.drupal.control.set(access_token_seconds=HOUR)
    return await world.sign_in(name)


async def test_nothing_due_is_nothing_done(world: UpstreamWorld) -> None:
    await sign_in_for_an_hour(world)

    assert await tick_of(world).run() == {
        "refreshed": 0,
        "rejected": 0,
        "indeterminate": 0,
        "not_due": 0,
        "queued": 0,
    }
    assert world.drupal.control.requests() == []


async def test_what_is_due_is_refreshed_once(world: UpstreamWorld, clock: DatabaseClock) -> None:
    people = [await sign_in_for_an_hour(world, name) for name in ("maya", "felix", "lena")]
    clock.advance(DUE_BY)

    first = await tick_of(world).run()
    second = await tick_of(world).run()

    assert first["refreshed"] == 3
    assert sum(second.values()) == 0
    for signed_in in people:
        assert (await world.grant(signed_in)).pair_generation == 2


async def test_short_lived_pairs_are_left_to_the_calls(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    await world.sign_in()
    clock.advance(299)

    assert sum((await tick_of(world).run()).values()) == 0


async def test_every_outcome_is_counted_apart(world: UpstreamWorld, clock: DatabaseClock) -> None:
    rejected = await sign_in_for_an_hour(world, "maya")
    world.drupal.control.advance(20 * 86_400)
    await sign_in_for_an_hour(world, "felix")
    gone = await sign_in_for_an_hour(world, "lena")
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=gone.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    clock.advance(DUE_BY)

    counts = await tick_of(world).run()

    assert counts == {"refreshed": 1, "rejected": 1, "indeterminate": 0, "not_due": 0, "queued": 0}
    assert (await world.row(rejected))["status"] == "ended"


async def test_a_site_that_is_away_stops_the_tick_and_loses_nothing(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    for _ in range(8):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)
    world.drupal.control.fail("maintenance_html", route="token", times=50)

    counts = await tick_of(world, concurrency_max=1).run()

    assert counts["indeterminate"] == refresh_tick.INDETERMINATE_IN_A_ROW_MAX
    world.drupal.control.clear_faults()
    clock.advance(refresh_tick.PUSH_SECONDS + 1)
    assert (await tick_of(world).run())["refreshed"] == 8


async def test_a_client_that_the_site_refuses_stops_the_tick(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    people = [await sign_in_for_an_hour(world) for _ in range(3)]
    clock.advance(DUE_BY)
    client = world.drupal.client
    world.drupal.control.put_client(
        type(client)(client_id=client.client_id, secret="another", redirect_uris=())
    )

    counts = await tick_of(world, concurrency_max=1).run()

    assert counts == {"refreshed": 0, "rejected": 0, "indeterminate": 1, "not_due": 0, "queued": 0}
    for signed_in in people:
        assert (await world.row(signed_in))["status"] == "active"


async def test_a_batch_is_bounded(world: UpstreamWorld, clock: DatabaseClock) -> None:
    for _ in range(4):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)

    assert (await tick_of(world, batch_max=3).run())["refreshed"] == 3
    assert (await tick_of(world, batch_max=3).run())["refreshed"] == 1


async def test_no_refresh_begins_without_time_to_end_it(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)

    counts = await tick_of(world, seconds_left=BEGIN_SECONDS_MIN - 1).run()

    assert sum(counts.values()) == 0
    assert world.drupal.control.requests() == []


async def test_a_suspended_grant_is_not_refreshed_in_the_background(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await sign_in_for_an_hour(world)
    async with world.own.database.autocommit() as tx:
        await grants.suspend(tx, grant_id=signed_in.grant_id, seconds=300)
    clock.advance(DUE_BY)

    assert sum((await tick_of(world).run()).values()) == 0


async def test_a_grant_whose_turn_fails_for_our_own_reasons_does_not_stop_the_others(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    for _ in range(3):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)
    database = UnreliableDatabase(world.database_url)
    world.stack.push_async_callback(database.close)
    database.refusals = 1
    tick = RefreshTick(
        world.own.database,
        GrantRefresher(database, world.own.vault, world.own.oauth),
        batch_max=10,
        concurrency_max=1,
        seconds_left=lambda: 60.0,
    )

    counts = await tick.run()

    assert counts == {"refreshed": 2, "rejected": 0, "indeterminate": 1, "not_due": 0, "queued": 0}


async def test_a_fault_in_our_own_code_costs_one_grant_its_turn(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    people = [await sign_in_for_an_hour(world) for _ in range(3)]
    clock.advance(DUE_BY)
    faulty = people[1].grant_id
    refresher = FaultyRefresher(world.own.database, world.own.vault, world.own.oauth)
    refresher.faulty = faulty
    tick = RefreshTick(
        world.own.database,
        refresher,
        batch_max=10,
        concurrency_max=2,
        seconds_left=lambda: 60.0,
    )

    counts = await tick.run()

    assert counts == {"refreshed": 2, "rejected": 0, "indeterminate": 1, "not_due": 0, "queued": 0}


class ListedQueue:
    """Takes messages until it is full."""

    def __init__(self, room: int = 1_000) -> None:
        self.room = room
        self.taken: list[RefreshMessage] = []

    async def send(self, messages: Sequence[RefreshMessage]) -> list[RefreshMessage]:
        free = self.room - len(self.taken)
        self.taken += messages[:free]
        return list(messages[free:])


async def test_few_due_grants_need_no_queue(world: UpstreamWorld, clock: DatabaseClock) -> None:
    for _ in range(3):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)
    queue = ListedQueue()

    counts = await tick_of(world, queue=queue, inline_max=3).run()

    assert (counts["refreshed"], counts["queued"]) == (3, 0)
    assert queue.taken == []


async def test_many_due_grants_are_all_sent_and_nobody_is_claimed(
    world: UpstreamWorld, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_tick, "CLAIM_MAX", 2)
    people = [await sign_in_for_an_hour(world) for _ in range(7)]
    clock.advance(DUE_BY)
    queue = ListedQueue()
    tick = tick_of(world, queue=queue, inline_max=2, batch_max=4)

    counts = await tick.run()
    again = await tick.run()

    assert counts["queued"] == 7
    assert sum(again.values()) == 0
    assert {one.grant_id for one in queue.taken} == {one.grant_id for one in people}
    assert world.drupal.control.requests() == []
    assert {(await world.row(one))["lease_owner"] for one in people} == {None}


async def test_what_the_queue_does_not_take_is_refreshed_at_once(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    for _ in range(6):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)

    counts = await tick_of(world, queue=ListedQueue(room=4), inline_max=2).run()

    assert (counts["refreshed"], counts["queued"]) == (2, 4)


async def test_one_tick_sends_a_bounded_number(
    world: UpstreamWorld, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(refresh_tick, "QUEUED_MAX", 4)
    monkeypatch.setattr(refresh_tick, "CLAIM_MAX", 2)
    for _ in range(6):
        await sign_in_for_an_hour(world)
    clock.advance(DUE_BY)
    tick = tick_of(world, queue=ListedQueue(), inline_max=1, batch_max=2)

    assert (await tick.run())["queued"] == 4
    assert (await tick.run())["queued"] == 2
