"""Each function's database role may do all that its workflows do."""

import psycopg
import pytest

from functions.cleanup.housekeeping import Housekeeping
from functions.token_refresh.refresh_tick import RefreshTick
from shared.state.roles import AppRole, ensure_roles
from shared.workflows.suspension import AccountUnavailableError
from tests.integration.workflows.test_call_upstream import search
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld, Worker


@pytest.fixture
def rights(database_admin: psycopg.Connection[object]) -> None:
    ensure_roles(database_admin, dict.fromkeys(AppRole))


def tick_of(worker: Worker) -> RefreshTick:
    return RefreshTick(
        worker.database,
        worker.refresher,
        batch_max=10,
        concurrency_max=2,
        seconds_left=lambda: 60.0,
    )


async def test_a_call_may_refresh_and_suspend(
    world: UpstreamWorld, clock: DatabaseClock, rights: None
) -> None:
    signed_in = await world.sign_in()
    clock.advance(301)
    worker = world.worker(AppRole.MCP_ENDPOINT)

    assert await search(world, signed_in, worker) > 0
    world.drupal.control.block_user("maya")
    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in, worker)

    assert (await world.row(signed_in))["status"] == "suspended"


@pytest.mark.parametrize("role", [AppRole.TOKEN_REFRESH, AppRole.MCP_ENDPOINT, AppRole.CLEANUP])
async def test_a_refresh_may_be_stored_refused_and_left_in_doubt(
    world: UpstreamWorld, clock: DatabaseClock, rights: None, role: AppRole
) -> None:
    signed_in = await world.sign_in()
    worker = world.worker(role)
    first = await worker.refresher.refresh(signed_in.grant_id, 1)
    world.drupal.control.fail("close_after", route="token")
    others = [await worker.refresher.refresh(signed_in.grant_id, 2) for _ in range(2)]
    clock.advance(200)
    others += [await worker.refresher.refresh(signed_in.grant_id, 2)]

    assert first == "refreshed"
    assert others == ["indeterminate", "indeterminate", "rejected"]
    assert (await world.row(signed_in))["status"] == "ended"


async def test_the_schedule_may_take_what_is_due(
    world: UpstreamWorld, clock: DatabaseClock, rights: None
) -> None:
    world.drupal.control.set(access_token_seconds=3_600)
    await world.sign_in()
    clock.advance(3_300)

    counts = await tick_of(world.worker(AppRole.TOKEN_REFRESH)).run()

    assert counts["refreshed"] == 1


async def test_the_cleanup_may_end_tell_and_delete(
    world: UpstreamWorld, clock: DatabaseClock, rights: None
) -> None:
    signed_in = await world.sign_in()
    await world.own.refresher.refresh(signed_in.grant_id, 1)
    clock.advance(91 * 86_400)
    worker = world.worker(AppRole.CLEANUP)
    cleanup = Housekeeping(
        worker.database, worker.drainer, worker.discarded, batch_max=100, seconds_left=lambda: 100.0
    )

    first = await cleanup.run()
    clock.advance(91 * 86_400)
    second = await cleanup.run()

    assert (first["lapsed"], first["burnt"], first["refresh_attempts_old"]) == (1, 1, 1)
    assert second["grants_ended"] == 1
