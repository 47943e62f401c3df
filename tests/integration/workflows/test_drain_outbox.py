"""Ended grants: Drupal hears of it, and only then is the pair forgotten."""

import pytest

from shared.domain.sessions import EndCause
from shared.workflows import drain_outbox
from shared.workflows.end_grant import end_grant
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld, running_world


async def ended(world: UpstreamWorld, name: str = "maya") -> SignedIn:
    signed_in = await world.sign_in(name)
    async with world.own.database.transaction() as tx:
        assert await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    return signed_in


async def drain(world: UpstreamWorld, *, seconds_left: float = 60.0) -> tuple[int, int]:
    result = await world.own.drainer.drain(seconds_left=lambda: seconds_left)
    return result.burnt, result.postponed


async def test_an_end_is_audited_once_with_its_cause(world: UpstreamWorld) -> None:
    signed_in = await ended(world)
    async with world.own.database.transaction() as tx:
        again = await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.EXPIRED)

    assert not again
    assert await world.audit() == [("grant:ended", {"cause": "revoked_by_client"})]


async def test_an_ended_grants_pair_is_worthless_at_the_site_and_forgotten(
    world: UpstreamWorld,
) -> None:
    signed_in = await ended(world)

    assert await drain(world) == (1, 0)

    access_tokens, _ = world.drupal.control.live_tokens("maya")
    assert access_tokens == 0
    assert (await world.row(signed_in))["pair_gone"]
    assert ("grant:revoked_upstream", {"tries": 1}) in await world.audit()
    assert await drain(world) == (0, 0)


async def test_the_older_dialect_without_revocation_is_told_by_rotation(
    database_url: str, kms_key_id: str
) -> None:
    async with running_world(database_url, kms_key_id, dialect=5) as world:
        pair = world.issue("maya")
        signed_in = await world.sign_in(pair=pair)
        async with world.own.database.transaction() as tx:
            await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.EXPIRED)

        assert await drain(world) == (1, 0)

        assert (await world.row(signed_in))["pair_gone"]
        assert world.drupal.control.count("revoke") == 1


async def test_a_pair_that_is_worthless_already_counts_as_told(world: UpstreamWorld) -> None:
    signed_in = await ended(world)
    world.drupal.control.advance(20 * 86_400)

    assert await drain(world) == (1, 0)
    assert (await world.row(signed_in))["pair_gone"]


@pytest.mark.parametrize("kind", ["maintenance_html", "error_html", "close_before"])
async def test_an_outage_postpones_and_the_pair_is_kept(
    world: UpstreamWorld, clock: DatabaseClock, kind: str
) -> None:
    signed_in = await ended(world)
    world.drupal.control.fail(kind, route="token")

    assert await drain(world) == (0, 1)
    assert not (await world.row(signed_in))["pair_gone"]
    assert await drain(world) == (0, 0), "not before its time"

    clock.advance(drain_outbox.BACK_OFF_SECONDS_MAX)
    assert await drain(world) == (1, 0)


async def test_a_reply_lost_while_burning_is_made_up_for(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    await ended(world)
    world.drupal.control.fail("close_after", route="token")
    assert await drain(world) == (0, 1)
    clock.advance(drain_outbox.BACK_OFF_SECONDS_MAX)

    assert await drain(world) == (1, 0)


async def test_a_site_that_is_away_stops_the_run(world: UpstreamWorld) -> None:
    for _ in range(5):
        await ended(world)
    world.drupal.control.fail("maintenance_html", route="token", times=50)

    assert await drain(world) == (0, drain_outbox.FAILURES_IN_A_ROW_MAX)


async def test_nothing_is_begun_without_time_to_end_it(world: UpstreamWorld) -> None:
    await ended(world)

    assert await drain(world, seconds_left=drain_outbox.BURN_SECONDS_MAX) == (0, 0)
    assert world.drupal.control.requests() == []
