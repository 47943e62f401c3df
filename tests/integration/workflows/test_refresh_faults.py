"""Faults of our own parts while Drupal holds the only live pair, and workers that come late."""

import asyncio

import psycopg
import pytest

from shared.domain.grants import UpstreamPair
from shared.domain.refresh_times import REFRESH_LEASE_SECONDS
from shared.domain.sessions import EndCause
from shared.state.database import Database, DatabaseUnavailableError
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.failures import UpstreamTimeoutError, UpstreamUnavailableError
from shared.vault.token_vault import TokenVault
from shared.workflows import call_upstream, keep_pair
from shared.workflows.call_upstream import UpstreamCaller
from shared.workflows.end_grant import end_grant
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome
from shared.workflows.suspension import AccountUnavailableError
from tests.integration.workflows.test_call_upstream import search
from tests.support.clock import DatabaseClock
from tests.support.unreliable_database import UnreliableDatabase
from tests.support.upstream_world import UpstreamWorld


def unreliable(world: UpstreamWorld, **plan: int) -> UnreliableDatabase:
    database = UnreliableDatabase(world.database_url)
    world.stack.push_async_callback(database.close)
    for name, number in plan.items():
        setattr(database, name, number)
    return database


def refresher_on(world: UpstreamWorld, database: Database) -> GrantRefresher:
    return GrantRefresher(database, world.own.vault, world.own.oauth)


class SlowlyPrepared(TokenVault):
    """The real vault over a key service that takes its time."""

    def __init__(self, vault: TokenVault, seconds: float) -> None:
        self.__dict__.update(vault.__dict__)
        self._seconds = seconds

    async def prepare(self) -> int:
        """As the real one, later."""
        await asyncio.sleep(self._seconds)
        return await super().prepare()


class WatchedSite(DrupalOAuth):
    """The real client, and how long it was to wait for each answer."""

    def __init__(self, oauth: DrupalOAuth) -> None:
        self.__dict__.update(oauth.__dict__)
        self.patience: list[float] = []

    async def refresh(self, refresh_token: str, *, timeout_seconds: float) -> UpstreamPair:
        """As the real one, noted."""
        self.patience.append(timeout_seconds)
        return await super().refresh(refresh_token, timeout_seconds=timeout_seconds)


async def test_a_commit_without_acknowledgement_is_looked_up_not_repeated(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, lost_commits=1)

    outcome = await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert (await world.grant(signed_in)).pair_generation == 2
    assert await search(world, signed_in) > 0


async def test_a_database_that_stumbles_after_the_reply_is_asked_again(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=2)

    outcome = await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert await search(world, signed_in) > 0


async def test_a_database_that_stays_away_leaves_doubt_and_the_grant_alive(
    world: UpstreamWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_pair, "STORE_SECONDS_MAX", 0.0)
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=50)

    outcome = await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.INDETERMINATE
    assert await world.outcomes(signed_in) == [None]
    assert (await world.row(signed_in))["status"] == "active"


async def test_a_database_that_restarts_after_the_reply_is_asked_until_it_is_back(
    world: UpstreamWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keep_pair, "STORE_RETRY_SECONDS_MAX", 0.0)
    signed_in = await world.sign_in()
    database = unreliable(world, healthy_transactions=1, refusals=30)

    outcome = await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.REFRESHED
    assert await search(world, signed_in) > 0


async def test_what_comes_before_the_site_is_asked_is_taken_off_the_sites_time(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    site, database = WatchedSite(world.own.oauth), world.own.database
    refresher = GrantRefresher(database, SlowlyPrepared(world.own.vault, 0.5), site)

    outcome = await refresher.refresh(signed_in.grant_id, 1, timeout_seconds=4)

    assert outcome is RefreshOutcome.REFRESHED
    assert site.patience[0] <= 3.5


async def test_a_site_that_would_answer_too_late_is_not_asked(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    refresher = GrantRefresher(
        world.own.database, SlowlyPrepared(world.own.vault, 0.2), world.own.oauth
    )

    outcome = await refresher.refresh(signed_in.grant_id, 1, timeout_seconds=0.3)

    assert outcome is RefreshOutcome.INDETERMINATE
    assert world.drupal.control.requests() == []
    assert await world.outcomes(signed_in) == ["upstream_timeout"]
    assert (await world.row(signed_in))["lease_owner"] is None
    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REFRESHED


async def test_connections_cut_while_the_site_answers_cost_no_pair(
    world: UpstreamWorld, database_admin: psycopg.Connection[object]
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    database_admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    gate.release()

    assert await refreshing is RefreshOutcome.REFRESHED


async def test_before_the_site_is_asked_a_database_away_is_a_plain_outage(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    database = unreliable(world, refusals=1)

    with pytest.raises(DatabaseUnavailableError):
        await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert world.drupal.control.requests() == []
    assert await world.outcomes(signed_in) == []


async def test_a_failure_that_cannot_be_noted_stays_in_doubt(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.fail("maintenance_html", route="token")
    database = unreliable(world, healthy_transactions=1, refusals=1)

    outcome = await refresher_on(world, database).refresh(signed_in.grant_id, 1)

    assert outcome is RefreshOutcome.INDETERMINATE
    assert await world.outcomes(signed_in) == [None]


async def test_a_late_refusal_of_a_pair_that_was_replaced_is_not_believed(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    late = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    clock.advance(REFRESH_LEASE_SECONDS + 1)
    assert await world.own.refresher.refresh(signed_in.grant_id, 1) is RefreshOutcome.REFRESHED
    gate.release()

    assert await late is RefreshOutcome.REFRESHED
    assert (await world.row(signed_in))["status"] == "active"
    assert await world.outcomes(signed_in) == ["rejected", "stored"]


async def test_a_late_copy_of_the_stored_pair_is_fenced_off(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    world.drupal.control.set(refresh_replay_seconds=60)
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    late = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    clock.advance(REFRESH_LEASE_SECONDS + 1)
    await world.own.refresher.refresh(signed_in.grant_id, 1)
    gate.release()

    assert await late is RefreshOutcome.REFRESHED
    assert (await world.grant(signed_in)).pair_generation == 2
    assert await world.outcomes(signed_in) == ["fenced_off", "stored"]
    assert await search(world, signed_in) > 0


@pytest.mark.parametrize("refused", [False, True])
async def test_a_grant_that_ended_meanwhile_stays_ended(
    world: UpstreamWorld,
    refused: bool,  # noqa: FBT001 - a column of the table
) -> None:
    signed_in = await world.sign_in()
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)
    if refused:
        world.drupal.control.advance(20 * 86_400)
    else:
        world.drupal.control.fail("error_html", route="token", skip=0)
    gate.release()

    assert await refreshing is RefreshOutcome.NOT_DUE
    assert (await world.row(signed_in))["ended_cause"] == "revoked_by_client"


async def test_a_call_waits_for_another_workers_refresh_so_long_and_no_longer(
    world: UpstreamWorld, clock: DatabaseClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(call_upstream, "FOLLOW_SECONDS_MAX", 0.1)
    signed_in = await world.sign_in()
    clock.advance(301)
    gate = world.drupal.control.hold(route="token")
    refreshing = asyncio.create_task(world.worker().refresher.refresh(signed_in.grant_id, 1))
    await gate.reached()

    with pytest.raises(UpstreamTimeoutError):
        await search(world, signed_in)
    gate.release()

    assert await refreshing is RefreshOutcome.REFRESHED
    assert await search(world, signed_in) > 0


async def test_a_suspension_that_cannot_be_stored_is_told_all_the_same(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")
    database = unreliable(world, refusals=1)
    caller = UpstreamCaller(database, world.own.vault, world.own.refresher)
    call = await world.call_of(signed_in)

    async def request(access_token: str) -> object:
        return await world.content.read("101", access_token=access_token, timeout_seconds=5)

    with pytest.raises(AccountUnavailableError):
        await caller.run(call, request)

    assert (await world.row(signed_in))["status"] == "active"


async def test_a_pair_replaced_during_the_call_is_no_reason_to_suspend(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.save_user("maya")
    asked = 0

    async def request(access_token: str) -> object:
        nonlocal asked
        asked += 1
        if asked == 2:
            assert await world.worker().refresher.refresh(signed_in.grant_id, 2)
        return await world.content.read("101", access_token=access_token, timeout_seconds=5)

    with pytest.raises(UpstreamUnavailableError):
        await world.own.caller.run(await world.call_of(signed_in), request)

    assert (await world.row(signed_in))["status"] == "active"
    assert await search(world, signed_in) > 0
