"""A batch of messages: each fails alone, and what is done already is done."""

import pytest

from functions.token_refresh.queue_batch import RefreshBatch
from functions.token_refresh.time_to_begin import BEGIN_SECONDS_MIN
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import DOUBT_SECONDS_MAX
from shared.queue.messages import MessageKind, RefreshMessage
from shared.state import refresh_attempts
from shared.workflows.refresh_grant import GrantRefresher
from tests.integration.token_refresh.faulty import FaultyRefresher
from tests.support.clock import DatabaseClock
from tests.support.queue_events import queue_event
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import SignedIn, UpstreamWorld

HOUR = 3_600


def batch_of(
    world: UpstreamWorld,
    *,
    refresher: GrantRefresher | None = None,
    concurrency_max: int = 3,
    seconds_left: float = 60.0,
) -> RefreshBatch:
    return RefreshBatch(
        world.own.database,
        refresher or world.own.refresher,
        concurrency_max=concurrency_max,
        seconds_left=lambda: seconds_left,
    )


def due(signed_in: SignedIn, pair_generation: int = 1) -> str:
    message = RefreshMessage.about(MessageKind.REFRESH_DUE, signed_in.grant_id, pair_generation)
    return message.encode()


def repeat(signed_in: SignedIn, pair_generation: int = 1) -> str:
    message = RefreshMessage.about(MessageKind.WATCHDOG, signed_in.grant_id, pair_generation)
    return message.encode()


async def came_back(batch: RefreshBatch, *bodies: str) -> list[str]:
    answer = await batch.run(queue_event(bodies)["Records"])
    assert set(answer) == {"batchItemFailures"}
    return [str(item["itemIdentifier"]) for item in answer["batchItemFailures"]]


async def people(world: UpstreamWorld, count: int) -> list[SignedIn]:
    world.drupal.control.set(access_token_seconds=HOUR)
    return [await world.sign_in() for _ in range(count)]


async def generations(world: UpstreamWorld, signed_in: list[SignedIn]) -> list[int]:
    return [(await world.grant(one)).pair_generation for one in signed_in]


async def test_of_ten_messages_only_the_poisonous_one_comes_back(world: UpstreamWorld) -> None:
    nine = await people(world, 9)
    bodies = [due(one) for one in nine]
    bodies.insert(4, '{"version": 1, "kind": "refresh_due", "grant_id": "a token?"}')

    assert await came_back(batch_of(world), *bodies) == ["m4"]
    assert await generations(world, nine) == [2] * 9


async def test_a_message_that_comes_again_asks_drupal_nothing(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)
    assert await came_back(batch_of(world), due(one)) == []
    asked = len(world.drupal.control.requests())

    assert await came_back(batch_of(world), due(one), due(one)) == []
    assert len(world.drupal.control.requests()) == asked
    assert await generations(world, [one]) == [2]


async def test_one_grant_twice_in_a_batch_is_refreshed_once(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)

    assert await came_back(batch_of(world), *[due(one)] * 5) == []
    assert await generations(world, [one]) == [2]
    assert len(await world.outcomes(one)) == 1


async def test_a_grant_that_is_gone_is_done(world: UpstreamWorld) -> None:
    message = RefreshMessage.about(MessageKind.REFRESH_DUE, GrantId(new_id()), 1)

    assert await came_back(batch_of(world), message.encode()) == []


async def test_what_drupal_cannot_answer_now_is_left_to_the_schedule(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)
    world.drupal.control.fail("maintenance_html", route="token", times=1)

    assert await came_back(batch_of(world), due(one)) == []
    row = await world.row(one)
    assert row["status"] == "active"
    assert row["refresh_at"] > row["now"]


async def test_a_message_comes_back_when_our_own_database_is_away(world: UpstreamWorld) -> None:
    signed_in = await people(world, 3)
    database = UnreliableDatabase(world.database_url)
    world.stack.push_async_callback(database.close)
    database.refusals = 1
    refresher = GrantRefresher(database, world.own.vault, world.own.oauth)

    back = await came_back(
        batch_of(world, refresher=refresher, concurrency_max=1), *map(due, signed_in)
    )

    assert back == ["m0"]
    assert await generations(world, signed_in) == [1, 2, 2]


async def test_a_fault_of_ours_fails_one_message(world: UpstreamWorld) -> None:
    signed_in = await people(world, 3)
    refresher = FaultyRefresher(world.own.database, world.own.vault, world.own.oauth)
    refresher.faulty = signed_in[1].grant_id

    assert await came_back(batch_of(world, refresher=refresher), *map(due, signed_in)) == ["m1"]
    assert await generations(world, signed_in) == [2, 1, 2]


async def test_a_client_that_drupal_refuses_stops_the_batch_and_ends_nobody(
    world: UpstreamWorld,
) -> None:
    signed_in = await people(world, 4)
    client = world.drupal.client
    world.drupal.control.put_client(
        type(client)(client_id=client.client_id, secret="another", redirect_uris=())
    )

    back = await came_back(batch_of(world, concurrency_max=1), *map(due, signed_in))

    assert back == ["m0", "m1", "m2", "m3"]
    assert [len(await world.outcomes(one)) for one in signed_in] == [1, 0, 0, 0]
    assert {(await world.row(one))["status"] for one in signed_in} == {"active"}


async def test_no_refresh_begins_that_the_invocation_would_cut_off(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)

    batch = batch_of(world, seconds_left=BEGIN_SECONDS_MIN - 1)

    assert await came_back(batch, due(one)) == ["m0"]
    assert await world.outcomes(one) == []


async def _worker_dies_after_asking(world: UpstreamWorld, one: SignedIn) -> None:
    async with world.own.database.autocommit() as tx:
        await refresh_attempts.begin(
            tx, attempt_id=new_id(), grant_id=one.grant_id, pair_generation=1
        )


async def test_a_repeat_refreshes_what_a_dead_worker_left(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)
    await _worker_dies_after_asking(world, one)

    assert await came_back(batch_of(world), repeat(one)) == []
    assert await generations(world, [one]) == [2]


async def test_a_repeat_of_what_went_well_or_ended_does_nothing(world: UpstreamWorld) -> None:
    (one,) = await people(world, 1)
    await came_back(batch_of(world), due(one))
    asked = len(world.drupal.control.requests())

    assert await came_back(batch_of(world), repeat(one), repeat(one, 2)) == []
    assert len(world.drupal.control.requests()) == asked


@pytest.mark.parametrize(("seconds", "generation"), [(-1, 2), (1, 1)])
async def test_repeats_of_repeats_end_with_the_time_of_doubt(
    world: UpstreamWorld, clock: DatabaseClock, seconds: int, generation: int
) -> None:
    (one,) = await people(world, 1)
    await _worker_dies_after_asking(world, one)
    clock.advance(DOUBT_SECONDS_MAX - 10)
    await _worker_dies_after_asking(world, one)
    clock.advance(10 + seconds)

    assert await came_back(batch_of(world), repeat(one)) == []
    assert await generations(world, [one]) == [generation]
