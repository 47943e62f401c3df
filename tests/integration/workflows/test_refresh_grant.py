"""The refresh of one grant: no pair is lost that can be kept, no grant ends without reason."""

import asyncio

import pytest

from scripts.fake_drupal.faults import Fault, FaultKind, RouteClass
from shared.domain.grants import GrantStatus
from shared.domain.identifiers import GrantId, new_id
from shared.domain.refresh_times import DOUBT_SECONDS_MAX, REFRESH_LEASE_SECONDS
from shared.domain.sessions import EndCause
from shared.state import grants
from shared.upstream.failures import UpstreamMisconfiguredError
from shared.workflows import keep_pair, refresh_grant
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import RefreshOutcome
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import UpstreamWorld, running_world


async def test_a_refresh_stores_the_new_pair_as_the_next_generation(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    before = await world.pair(signed_in)

    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)

    grant, after = await world.grant(signed_in), await world.pair(signed_in)
    assert outcome is RefreshOutcome.REFRESHED
    assert grant.pair_generation == 2
    assert after.access_token != before.access_token
    assert after.refresh_token != before.refresh_token
    assert after.subject == before.subject
    assert await world.outcomes(signed_in) == ["stored"]
    assert (await world.row(signed_in))["lease_owner"] is None
    assert [action for action, _ in await world.audit()] == ["upstream:refreshed"]
    assert world.drupal.control.live_tokens("maya") == (1, 1)


async def test_two_refreshes_at_once_make_one_call_and_both_have_the_new_pair(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    first = asyncio.create_task(world.own.refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    second = await world.worker().refresher.refresh(signed_in.grant_id, 1)
    gate.release()

    assert second is RefreshOutcome.NOT_DUE
    assert await first is RefreshOutcome.REFRESHED
    assert world.drupal.control.count("grant:refresh_token") == 1


async def test_a_generation_that_has_moved_on_is_not_refreshed(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.NOT_DUE
    assert world.drupal.control.count("grant:refresh_token") == 1


async def test_an_unknown_grant_is_not_due(world: UpstreamWorld) -> None:
    outcome = await world.own.refresher.refresh(GrantId(new_id()), 1)

    assert outcome is RefreshOutcome.NOT_DUE


@pytest.mark.parametrize("dialect", [5, 6])
async def test_a_refused_refresh_token_ends_the_grant_with_cause_and_audit(
    database_url: str, kms_key_id: str, dialect: int
) -> None:
    async with running_world(database_url, kms_key_id, dialect=dialect) as world:
        signed_in = await world.sign_in()
        world.drupal.control.advance(20 * 86_400)

        outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)

        row = await world.row(signed_in)
        assert outcome is RefreshOutcome.REJECTED
        assert row["status"] == "ended"
        assert row["ended_cause"] == EndCause.REJECTED_UPSTREAM.value
        assert await world.outcomes(signed_in) == ["rejected"]
        assert await world.audit() == [
            ("upstream:rejected", {}),
            ("grant:ended", {"cause": "rejected_upstream"}),
        ]


OUTAGES = [
    Fault(kind=FaultKind.ERROR_HTML),
    Fault(kind=FaultKind.ERROR_JSON),
    Fault(kind=FaultKind.MAINTENANCE_HTML),
    Fault(kind=FaultKind.MAINTENANCE_TEXT),
    Fault(kind=FaultKind.INSTALL_REDIRECT),
    Fault(kind=FaultKind.PROXY_PAGE),
    Fault(kind=FaultKind.RATE_LIMITED),
    Fault(kind=FaultKind.BOT_CHALLENGE),
    Fault(kind=FaultKind.NOT_JSON),
    Fault(kind=FaultKind.UNAUTHORIZED),
    Fault(kind=FaultKind.UNAUTHORIZED_SERVER_ERROR),
    Fault(kind=FaultKind.CLOSE_BEFORE),
    Fault(kind=FaultKind.HANG),
]


@pytest.mark.parametrize("fault", OUTAGES, ids=lambda fault: str(fault.kind))
async def test_no_outage_ends_a_grant_and_the_next_refresh_works(
    world: UpstreamWorld, fault: Fault
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.plan(fault.model_copy(update={"route": RouteClass.TOKEN}))

    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1, timeout_seconds=0.5)

    row = await world.row(signed_in)
    assert outcome is RefreshOutcome.INDETERMINATE
    assert row["status"] == "active"
    assert row["refresh_failures"] == 1
    assert row["lease_owner"] is None
    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REFRESHED


@pytest.mark.parametrize("kind", [FaultKind.CLOSE_AFTER, FaultKind.HANG_AFTER, FaultKind.TRUNCATED])
async def test_a_lost_reply_leaves_the_attempt_in_doubt_and_the_grant_alive(
    world: UpstreamWorld, kind: FaultKind
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.fail(kind, route="token")

    first = await world.own.refresher.refresh(signed_in.grant_id, 1, timeout_seconds=0.5)
    second = await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert first is RefreshOutcome.INDETERMINATE
    assert second is RefreshOutcome.INDETERMINATE, "the refusal must not be believed"
    assert (await world.row(signed_in))["status"] == "active"
    assert await world.outcomes(signed_in) == [None, "rejected"]


async def test_with_the_sites_replay_buffer_a_lost_reply_costs_nothing(
    world: UpstreamWorld,
) -> None:
    world.drupal.control.set(refresh_replay_seconds=60)
    signed_in = await world.sign_in()
    world.drupal.control.fail("close_after", route="token")

    await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REFRESHED
    assert world.drupal.control.live_tokens("maya") == (1, 1)


async def test_a_doubt_that_nobody_resolves_ends_in_the_end(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.fail("close_after", route="token")
    outcomes = [await world.own.refresher.refresh(signed_in.grant_id, 1)]
    clock.advance(DOUBT_SECONDS_MAX + 1)

    outcomes += [await world.own.refresher.refresh(signed_in.grant_id, 1)]

    assert outcomes == [RefreshOutcome.INDETERMINATE, RefreshOutcome.REJECTED]
    assert await world.outcomes(signed_in) == ["reply_lost", "rejected"]
    assert (await world.row(signed_in))["ended_cause"] == EndCause.REPLY_LOST.value


async def test_a_worker_that_dies_between_reply_and_commit_leaves_the_grant_alive(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    dying = world.worker()
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(keep_pair, "seal_next_pair", _die)
        with pytest.raises(_KilledError):
            await dying.refresher.refresh(signed_in.grant_id, 1)

    leased = await world.own.refresher.refresh(signed_in.grant_id, 1)
    clock.advance(REFRESH_LEASE_SECONDS + 1)
    after_lease = await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert leased is RefreshOutcome.NOT_DUE
    assert after_lease is RefreshOutcome.INDETERMINATE
    assert (await world.row(signed_in))["status"] == "active"
    assert await world.outcomes(signed_in) == [None, "rejected"]


class _KilledError(BaseException):
    """What nothing in the house catches: the process is gone."""


async def _die(*_: object) -> None:
    raise _KilledError


async def test_a_late_worker_stores_the_only_live_pair_although_its_lease_is_over(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    late = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    clock.advance(REFRESH_LEASE_SECONDS + 1)
    async with world.own.database.autocommit() as tx:
        taken = await grants.claim(
            tx,
            grant_id=signed_in.grant_id,
            pair_generation=1,
            lease_owner=new_id(),
            lease_seconds=12,
        )
    gate.release()

    assert taken is not None
    assert await late is RefreshOutcome.REFRESHED
    assert (await world.grant(signed_in)).pair_generation == 2


async def test_a_pair_that_comes_back_for_an_ended_grant_is_burnt(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    gate.release()

    assert await refreshing is RefreshOutcome.NOT_DUE
    assert (await world.grant(signed_in)).pair_generation == 1
    access_tokens, _ = world.drupal.control.live_tokens("maya")
    assert access_tokens == 0


async def test_a_pair_of_another_person_ends_the_grant(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.switch_subject("maya", to="felix")

    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)

    row = await world.row(signed_in)
    assert outcome is RefreshOutcome.REJECTED
    assert row["ended_cause"] == EndCause.SUBJECT_CHANGED.value
    assert world.drupal.control.live_tokens("felix")[0] == 0


async def test_a_client_that_the_site_refuses_signs_nobody_out(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    stranger = refresh_grant.GrantRefresher(
        world.own.database,
        world.own.vault,
        type(world.own.oauth)(
            type(world.site)(base_url=world.site.base_url, client_id="nobody", client_secret="x")
        ),
    )

    with pytest.raises(UpstreamMisconfiguredError):
        await stranger.refresh(signed_in.grant_id, 1)

    row = await world.row(signed_in)
    assert row["status"] == "active"
    assert row["lease_owner"] is None
    assert await world.outcomes(signed_in) == ["upstream_misconfigured"]


async def test_a_pair_without_refresh_token_ends_when_it_should_be_refreshed(
    world: UpstreamWorld,
) -> None:
    pair = world.issue("maya")
    signed_in = await world.sign_in(
        pair=type(pair)(
            access_token=pair.access_token,
            refresh_token=None,
            life_seconds=300,
            subject=pair.subject,
        )
    )

    outcome = await world.own.refresher.refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REJECTED
    assert (await world.row(signed_in))["ended_cause"] == EndCause.EXPIRED.value
    assert world.drupal.control.count("grant:refresh_token") == 0


async def test_a_cancelled_refresh_still_stores_what_the_site_answered(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.own.refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    refreshing.cancel()
    gate.release()
    with pytest.raises(asyncio.CancelledError):
        await refreshing

    grant = await world.grant(signed_in)
    assert grant.pair_generation == 2
    assert grant.status is GrantStatus.ACTIVE


async def test_no_transaction_is_open_while_the_site_is_awaited(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    async with world.own.database.autocommit() as tx:
        open_transactions = await tx.rows(
            "SELECT state FROM pg_stat_activity WHERE datname = current_database()"
            " AND pid <> pg_backend_pid() AND state LIKE 'idle in transaction%%'",
            {"unused": None},
        )
    gate.release()

    assert open_transactions == []
    assert await refreshing is RefreshOutcome.REFRESHED
