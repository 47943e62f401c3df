"""Data keys change while people call: made, wrapped anew, moved to, retired. Nobody notices."""

import asyncio
from collections.abc import Callable
from typing import Any, Final

import psycopg
import pytest

from functions.cleanup import key_rotation
from functions.cleanup.key_rotation import RETIRE_AFTER_SECONDS, KeyRotation
from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.queue.pair_spill import KEPT_SECONDS
from shared.state import resealing
from shared.vault import token_vault
from shared.vault.data_key_changes import DataKeyChanges
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.opened_keys import OUTAGE_SECONDS_MAX
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import RefreshOutcome
from shared.workflows.sealed_pairs import pair_binding
from tests.support.aws import new_kms_key
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld, Worker

DAY: Final = 86_400
GENERATION_DAYS: Final = 30
PEOPLE: Final = 500
BATCH: Final = 50

Admin = psycopg.Connection[Any]


class Interrupted(Exception):  # noqa: N818 - stands for a process that has died
    """The process ends here."""


def rotation_of(
    world: UpstreamWorld,
    worker: Worker,
    *,
    kms_key_id: str | None = None,
    seconds_left: Callable[[], float] = lambda: 100.0,
) -> KeyRotation:
    kms = KmsDataKeys(
        kms_key_id or world.kms_key_id, connect_timeout_seconds=1, read_timeout_seconds=5
    )
    world.stack.callback(lambda: kms._client().close())
    return KeyRotation(
        worker.database,
        worker.vault,
        DataKeyChanges(kms, stage="local"),
        generation_days=GENERATION_DAYS,
        move_after_seconds=DAY,
        seconds_left=seconds_left,
    )


def generations(admin: Admin) -> list[tuple[int, int]]:
    """Live data keys with how many pairs each seals."""
    return admin.execute(
        "SELECT k.generation, count(g.grant_id) FROM app.data_keys k"
        " LEFT JOIN app.grants g ON g.key_generation = k.generation"
        " GROUP BY k.generation ORDER BY k.generation"
    ).fetchall()


async def call(world: UpstreamWorld, worker: Worker, signed_in: SignedIn) -> str:
    used: list[str] = []

    async def request(access_token: str) -> None:
        used.append(access_token)

    await worker.caller.run(await world.call_of(signed_in), request)
    return used[0]


async def crowd(world: UpstreamWorld, admin: Admin, count: int) -> list[SignedIn]:
    """Many grants of one person, each with its own pair, sealed by the vault itself."""
    first = await world.sign_in()
    grant, pair = await world.grant(first), await world.pair(first)
    people = [first]
    people += [await world.sign_in(pair=pair) for _ in range(count - 1)]
    assert grant.pair.key_generation == 1
    assert generations(admin) == [(1, count)]
    return people


async def test_before_anything_was_sealed_no_key_is_made(
    world: UpstreamWorld, database_admin: Admin
) -> None:
    done = await rotation_of(world, world.own).run()

    assert set(done.values()) == {0}
    assert generations(database_admin) == []


async def test_a_successor_is_made_when_its_time_has_come_by_one_of_many(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    await world.sign_in()
    clock.advance(GENERATION_DAYS * DAY - 60)
    early = await rotation_of(world, world.own).run()
    clock.advance(120)

    made = await asyncio.gather(*(rotation_of(world, world.worker()).run() for _ in range(5)))

    audited = [details for action, details in await world.audit() if action == "data_key:made"]
    assert early["keys_made"] == 0
    assert sum(one["keys_made"] for one in made) == 1
    assert [generation for generation, _ in generations(database_admin)] == [1, 2]
    assert audited == [{"key_generation": 2}]


async def next_generation(world: UpstreamWorld, clock: DatabaseClock) -> None:
    """The month is over, and environments have heard of the new key."""
    clock.advance(GENERATION_DAYS * DAY)
    done = await rotation_of(world, world.own).run()
    assert (done["keys_made"], done["pairs_resealed"]) == (1, 0)
    world.own.vault.forget_keys()


async def test_a_refresh_moves_its_pair_to_the_newest_key(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya, felix = await world.sign_in("maya"), await world.sign_in("felix")
    await next_generation(world, clock)

    outcome = await world.own.refresher.refresh(maya.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert (await world.grant(maya)).pair.key_generation == 2
    assert (await world.grant(felix)).pair.key_generation == 1
    assert await world.pair(maya) != await world.pair(felix)


async def test_what_no_refresh_moved_is_moved_after_a_day_and_is_the_same_pair(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    before, pair = await world.grant(maya), await world.pair(maya)
    await next_generation(world, clock)
    clock.advance(DAY - 60)
    early = await rotation_of(world, world.own).run()
    clock.advance(120)

    late = await rotation_of(world, world.own).run()

    after = await world.grant(maya)
    assert (early["pairs_resealed"], late["pairs_resealed"]) == (0, 1)
    assert (after.pair.key_generation, after.pair_generation) == (2, before.pair_generation)
    assert after.access_expires_at == before.access_expires_at
    assert await world.pair(maya) == pair


async def test_an_ended_grant_that_drupal_was_not_told_about_is_moved_too(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=maya.grant_id, cause=EndCause.EXPIRED)
    await next_generation(world, clock)
    clock.advance(DAY + 60)

    done = await rotation_of(world, world.own).run()
    drained = await world.own.drainer.drain(seconds_left=lambda: 100.0)

    assert done["pairs_resealed"] == 1
    assert drained.burnt == 1


async def test_a_refresh_between_reading_and_writing_wins(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    await next_generation(world, clock)
    async with world.own.database.autocommit() as tx:
        read = await resealing.under_old_keys(tx, newest=2, after=resealing.START, limit=10)
    binding = pair_binding(grant_id=maya.grant_id, user_id=maya.user_id, pair_generation=1)
    plain = await world.own.vault.open(read[0].pair, user_salt=read[0].user_salt, binding=binding)
    await world.own.vault.prepare()
    late = await world.own.vault.seal(plain, user_salt=read[0].user_salt, binding=binding)

    await world.own.refresher.refresh(maya.grant_id, 1)
    newer = await world.grant(maya)
    async with world.own.database.autocommit() as tx:
        replaced = await resealing.replace(tx, [(read[0], late)])

    assert replaced == 0
    assert await world.grant(maya) == newer


async def test_a_refresh_under_way_is_not_disturbed_by_its_pair_being_moved(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    maya = await world.sign_in()
    await next_generation(world, clock)
    clock.advance(DAY + 60)
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(maya.grant_id, 1))
    await gate.reached()

    done = await rotation_of(world, world.own).run()
    gate.release()

    assert done["pairs_resealed"] == 1
    assert await refreshing is RefreshOutcome.REFRESHED
    assert (await world.grant(maya)).pair_generation == 2


async def test_a_new_generation_and_a_new_kms_key_while_people_call_interrupted_twice(
    monkeypatch: pytest.MonkeyPatch,
    world: UpstreamWorld,
    database_admin: Admin,
    clock: DatabaseClock,
    kms_endpoint: str,
) -> None:
    monkeypatch.setattr(key_rotation, "MOVE_BATCH_MAX", BATCH)
    people = await crowd(world, database_admin, PEOPLE)
    pair = await world.pair(people[0])
    await next_generation(world, clock)
    clock.advance(DAY + 60)
    monkeypatch.setattr("shared.workflows.call_upstream.REFRESH_AHEAD_SECONDS", -(10**9))
    new_key = new_kms_key(kms_endpoint)
    caller, served, over = world.worker(), list[str](), asyncio.Event()

    async def keep_calling() -> None:
        while not over.is_set():
            for signed_in in people[:: PEOPLE // 10]:
                served.append(await call(world, caller, signed_in))
            caller.vault.forget_keys()

    calling = asyncio.create_task(keep_calling())
    for batches in (2, 3):
        with pytest.raises(Interrupted):
            await rotation_of(
                world, world.own, kms_key_id=new_key, seconds_left=_dies_after(batches)
            ).run()
    between = generations(database_admin)
    last = await rotation_of(world, world.own, kms_key_id=new_key).run()
    over.set()
    await calling

    keys = database_admin.execute("SELECT DISTINCT kms_key_id FROM app.data_keys").fetchall()
    assert between == [(1, PEOPLE - 5 * BATCH), (2, 5 * BATCH)]
    assert generations(database_admin) == [(1, 0), (2, PEOPLE)]
    assert last["pairs_resealed"] == PEOPLE - 5 * BATCH
    assert [key.rpartition("/")[2] for (key,) in keys] == [new_key]
    assert len(served) >= 10
    assert set(served) == {pair.access_token}


def _dies_after(batches: int) -> Callable[[], float]:
    left = [batches]

    def seconds_left() -> float:
        left[0] -= 1
        if left[0] < 0:
            raise Interrupted
        return 100.0

    return seconds_left


async def test_a_damaged_pair_holds_nobody_up_and_stays_as_it_is(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    maya, felix = await world.sign_in("maya"), await world.sign_in("felix")
    database_admin.execute(
        "UPDATE app.grants SET pair_ciphertext = set_byte(pair_ciphertext, 40, 0),"
        " pair_generation = 7 WHERE grant_id = %s",
        [maya.grant_id],
    )
    await next_generation(world, clock)
    clock.advance(DAY + 60)

    done = await rotation_of(world, world.own).run()

    assert done["pairs_resealed"] == 1
    assert (await world.grant(felix)).pair.key_generation == 2
    assert (await world.grant(maya)).pair.key_generation == 1
    assert "seal:refused" in [action for action, _ in await world.audit()]


async def test_a_key_is_retired_when_nothing_needs_it_and_not_before_its_time(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    await world.sign_in()
    await next_generation(world, clock)
    clock.advance(RETIRE_AFTER_SECONDS + 60)
    needed = await rotation_of(world, world.own, seconds_left=lambda: 0.0).run()
    done = await rotation_of(world, world.own).run()

    assert needed["keys_retired"] == 0
    assert (done["pairs_resealed"], done["keys_retired"]) == (1, 1)
    assert generations(database_admin) == [(2, 1)]
    assert ("data_key:retired", {"key_generation": 1}) in await world.audit()


async def test_a_key_without_pairs_stays_while_sealing_may_still_use_it(
    world: UpstreamWorld, database_admin: Admin, clock: DatabaseClock
) -> None:
    await world.sign_in()
    await next_generation(world, clock)
    clock.advance(RETIRE_AFTER_SECONDS - 60)
    done = await rotation_of(world, world.own).run()

    assert (done["pairs_resealed"], done["keys_retired"]) == (1, 0)


def test_a_key_outlives_whatever_is_sealed_under_it() -> None:
    assert RETIRE_AFTER_SECONDS > KEPT_SECONDS + OUTAGE_SECONDS_MAX + DAY


async def test_kms_away_leaves_everything_to_the_next_run(
    monkeypatch: pytest.MonkeyPatch,
    world: UpstreamWorld,
    database_admin: Admin,
    clock: DatabaseClock,
) -> None:
    await world.sign_in()
    clock.advance(GENERATION_DAYS * DAY + 60)
    with monkeypatch.context() as dark:
        dark.setattr("shared.vault.kms_data_keys.ATTEMPTS_MAX", 1)
        dark.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
        away = await rotation_of(world, world.own).run()

    fair = await rotation_of(world, world.own).run()

    assert (away["keys_made"], fair["keys_made"]) == (0, 1)


async def test_progress_is_a_metric_for_each_older_key(
    world: UpstreamWorld, clock: DatabaseClock, capsys: pytest.CaptureFixture[str]
) -> None:
    await world.sign_in()
    await next_generation(world, clock)
    metrics.flush()
    capsys.readouterr()

    await rotation_of(world, world.own).run()
    metrics.flush()

    lines = [line for line in capsys.readouterr().out.splitlines() if "PairsUnderOldKeys" in line]
    assert len(lines) == 1
    assert '"key_generation":"1"' in lines[0]
    assert '"PairsUnderOldKeys":[1.0]' in lines[0]


def test_the_context_of_a_data_key_is_as_published() -> None:
    assert token_vault.data_key_context("prod", 3) == {
        "app": "drupalize-mcp",
        "stage": "prod",
        "generation": "3",
    }
