"""A pair that Drupal has issued is not lost as long as any store can take it."""

import asyncio
from dataclasses import replace

import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from shared.domain.refresh_times import (
    DOUBT_SECONDS_MAX,
    REFRESH_LEASE_SECONDS,
    REFRESH_WATCHDOG_SECONDS,
)
from shared.domain.sessions import EndCause
from shared.state.database import Database
from shared.workflows import keep_pair
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.safety_nets import SafetyNets
from tests.integration.workflows.test_call_upstream import REFRESHES, search
from tests.integration.workflows.test_refresh_faults import unreliable
from tests.support.breakable_link import breakable_link
from tests.support.clock import DatabaseClock
from tests.support.remembered_pairs import RememberedPairs, RememberedRepeats
from tests.support.upstream_world import SignedIn, UpstreamWorld

LEASE_OVER = REFRESH_LEASE_SECONDS + 1
DOUBT_OVER = DOUBT_SECONDS_MAX + 1


@pytest.fixture
def spill() -> RememberedPairs:
    return RememberedPairs()


def refresher_with(
    world: UpstreamWorld, nets: SafetyNets, database: Database | None = None
) -> GrantRefresher:
    worker = world.worker()
    return GrantRefresher(database or worker.database, worker.vault, worker.oauth, nets=nets)


async def spill_it(
    world: UpstreamWorld, spill: RememberedPairs, monkeypatch: pytest.MonkeyPatch
) -> SignedIn:
    """Somebody whose new pair only the second store has."""
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=1_000)
    with monkeypatch.context() as patched:
        patched.setattr(keep_pair, "SPILLED_STORE_SECONDS_MAX", 0.0)
        refresher = refresher_with(world, SafetyNets(spill=spill), database)
        outcome = await refresher.refresh(signed_in.grant_id, 1)
    assert outcome is RefreshOutcome.INDETERMINATE
    assert len(spill.pairs) == 1
    return signed_in


async def test_a_connection_cut_at_commit_causes_no_second_rotation(world: UpstreamWorld) -> None:
    address = conninfo_to_dict(world.database_url)
    async with breakable_link(str(address["host"]), int(str(address["port"]))) as link:
        conninfo = make_conninfo(
            world.database_url, host="127.0.0.1", port=link.port, sslmode="disable"
        )
        database = Database(conninfo)
        signed_in = await world.sign_in()
        gate = world.drupal.control.hold(route="token")
        refresher = refresher_with(world, SafetyNets(), database)
        refreshing = asyncio.create_task(refresher.refresh(signed_in.grant_id, 1))
        await gate.reached()
        link.cut_after(b"COMMIT")
        gate.release()

        assert await refreshing is RefreshOutcome.REFRESHED
        await database.close()

    assert (await world.grant(signed_in)).pair_generation == 2
    assert world.drupal.control.count(REFRESHES) == 1
    assert await world.outcomes(signed_in) == ["stored"]
    assert await search(world, signed_in) > 0


async def test_a_pair_whose_commit_fails_is_spilled_and_the_commit_tried_again(
    world: UpstreamWorld, spill: RememberedPairs
) -> None:
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=2)

    refresher = refresher_with(world, SafetyNets(spill=spill), database)
    outcome = await refresher.refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert list(spill.pairs) == [(signed_in.grant_id, 2)]
    assert await world.outcomes(signed_in) == ["stored"]


async def test_whoever_has_no_time_for_another_try_spills_the_pair_before_giving_up(
    world: UpstreamWorld, spill: RememberedPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_pair, "STORE_SECONDS_MAX", 0.0)
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=1)

    refresher = refresher_with(world, SafetyNets(spill=spill), database)
    outcome = await refresher.refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.INDETERMINATE
    assert list(spill.pairs) == [(signed_in.grant_id, 2)]


async def test_a_pair_whose_commit_tarries_is_spilled_before_the_commit_is_known(
    world: UpstreamWorld, spill: RememberedPairs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_pair, "STORE_ACKNOWLEDGED_SECONDS", 0.0)
    signed_in = await world.sign_in()

    outcome = await refresher_with(world, SafetyNets(spill=spill)).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert list(spill.pairs) == [(signed_in.grant_id, 2)]


async def test_a_commit_in_time_needs_no_second_store(
    world: UpstreamWorld, spill: RememberedPairs
) -> None:
    signed_in = await world.sign_in()

    await refresher_with(world, SafetyNets(spill=spill)).refresh(signed_in.grant_id, 1)

    assert (spill.pairs, spill.asked) == ({}, 0)


async def test_a_spilled_pair_is_taken_before_the_site_is_asked(
    world: UpstreamWorld,
    spill: RememberedPairs,
    clock: DatabaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in = await spill_it(world, spill, monkeypatch)
    clock.advance(LEASE_OVER)

    outcome = await refresher_with(world, SafetyNets(spill=spill)).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert world.drupal.control.count(REFRESHES) == 1
    assert await world.outcomes(signed_in) == [None, "recovered"]
    assert await world.audit() == [("upstream:refreshed", {"recovered": True})]
    assert await search(world, signed_in) > 0


async def test_a_pair_spilled_while_the_site_was_asked_outweighs_its_refusal(
    world: UpstreamWorld,
    spill: RememberedPairs,
    clock: DatabaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in = await spill_it(world, spill, monkeypatch)
    late, spill.pairs = spill.pairs, {}
    clock.advance(LEASE_OVER + DOUBT_OVER)
    gate = world.drupal.control.hold(route="token")
    refresher = refresher_with(world, SafetyNets(spill=spill))
    refreshing = asyncio.create_task(refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    spill.pairs = late
    gate.release()

    assert await refreshing is RefreshOutcome.REFRESHED
    assert await search(world, signed_in) > 0


async def test_a_refusal_is_not_believed_while_the_second_store_is_away(
    world: UpstreamWorld,
    spill: RememberedPairs,
    clock: DatabaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in = await spill_it(world, spill, monkeypatch)
    clock.advance(DOUBT_OVER)
    refresher = refresher_with(world, SafetyNets(spill=spill))
    spill.away = True

    away = await refresher.refresh(signed_in.grant_id, 1)
    spill.away = False
    back = await refresher.refresh(signed_in.grant_id, 1)

    assert away is RefreshOutcome.INDETERMINATE
    assert back is RefreshOutcome.REFRESHED


async def test_a_pair_of_another_row_in_the_second_store_is_never_stored(
    world: UpstreamWorld,
    spill: RememberedPairs,
    clock: DatabaseClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    signed_in = await spill_it(world, spill, monkeypatch)
    other = await world.sign_in("felix")
    key = (signed_in.grant_id, 2)
    spill.pairs[key] = replace(spill.pairs[key], pair=(await world.grant(other)).pair)
    clock.advance(DOUBT_OVER)

    outcome = await refresher_with(world, SafetyNets(spill=spill)).refresh(signed_in.grant_id, 1)

    row = await world.row(signed_in)
    assert outcome is RefreshOutcome.REJECTED
    assert row["ended_cause"] == EndCause.REPLY_LOST.value
    assert (await world.grant(signed_in)).pair_generation == 1


async def test_a_grant_ended_for_a_lost_reply_revives_when_its_worker_comes_back(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    late, gate = await _answered_and_stopped(world, signed_in)
    clock.advance(DOUBT_OVER)
    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REJECTED
    gate.set()

    assert await late is RefreshOutcome.REFRESHED
    assert (await world.row(signed_in))["status"] == "active"
    assert await world.outcomes(signed_in) == ["stored", "rejected"]
    assert [action for action, _ in await world.audit()][-1] == "grant:revived"
    await world.own.drainer.drain(seconds_left=lambda: 100.0)
    assert await search(world, signed_in) > 0
    assert world.drupal.control.live_tokens("maya") == (1, 1), "nothing was burnt"


@pytest.mark.parametrize("cause", [EndCause.REVOKED_BY_CLIENT, EndCause.REFRESH_TOKEN_REUSED])
async def test_a_grant_that_somebody_ended_does_not_revive(
    world: UpstreamWorld, cause: EndCause
) -> None:
    signed_in = await world.sign_in()
    late, gate = await _answered_and_stopped(world, signed_in)
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=cause)
    gate.set()

    assert await late is RefreshOutcome.NOT_DUE
    assert (await world.row(signed_in))["ended_cause"] == cause.value
    assert world.drupal.control.live_tokens("maya")[0] == 0


async def test_the_watchdog_is_armed_between_the_claim_and_the_sites_answer(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    watchdog = RememberedRepeats()
    asked_before: list[int] = []
    watchdog.on_arm = lambda: asked_before.append(world.drupal.control.count(REFRESHES))

    await refresher_with(world, SafetyNets(watchdog=watchdog)).refresh(signed_in.grant_id, 1)
    again = await refresher_with(world, SafetyNets(watchdog=watchdog)).refresh(
        signed_in.grant_id, 1
    )

    assert again is RefreshOutcome.NOT_DUE
    assert watchdog.armed == [(signed_in.grant_id, 1, REFRESH_WATCHDOG_SECONDS)]
    assert asked_before == [0]


async def test_nets_that_are_away_fail_no_refresh(
    world: UpstreamWorld, spill: RememberedPairs
) -> None:
    signed_in = await world.sign_in()
    watchdog = RememberedRepeats()
    watchdog.away = spill.away = True
    database = unreliable(world, healthy_transactions=1, refusals=2)
    nets = SafetyNets(spill=spill, watchdog=watchdog)

    outcome = await refresher_with(world, nets, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED


async def _answered_and_stopped(
    world: UpstreamWorld, signed_in: SignedIn
) -> tuple[asyncio.Task[RefreshOutcome], asyncio.Event]:
    """A worker that has Drupal's answer and goes on only when the event is set."""
    worker, answered, gate = world.worker(), asyncio.Event(), asyncio.Event()
    real = worker.vault.seal

    async def seal(*given: object, **bound: object) -> object:
        answered.set()
        await gate.wait()
        return await real(*given, **bound)  # type: ignore[arg-type]

    worker.vault.seal = seal  # type: ignore[assignment,method-assign]
    refreshing = asyncio.create_task(worker.refresher.refresh(signed_in.grant_id, 1))
    await answered.wait()
    return refreshing, gate
