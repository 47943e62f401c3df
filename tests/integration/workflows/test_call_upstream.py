"""Calls on behalf of a person: refreshed when needed, retried once, never ended for a refusal."""

import asyncio

import pytest

from shared.domain.content import Document, SearchPage, SearchQuery
from shared.domain.grants import SUSPENDED_RETRY_SECONDS
from shared.domain.sessions import EndCause
from shared.observability import request_context
from shared.upstream.failures import (
    ContentNotFoundError,
    SearchUnavailableError,
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from shared.workflows.end_grant import end_grant
from shared.workflows.suspension import (
    TRY_SECONDS_MAX,
    AccountUnavailableError,
    GrantEndedError,
)
from tests.support.clock import DatabaseClock
from tests.support.upstream_world import SignedIn, UpstreamWorld, Worker

REFRESHES = "grant:refresh_token"


async def search(world: UpstreamWorld, signed_in: SignedIn, worker: Worker | None = None) -> int:
    call = await world.call_of(signed_in)

    async def request(access_token: str) -> SearchPage:
        return await world.content.search(
            SearchQuery(keywords="cache"), access_token=access_token, timeout_seconds=5
        )

    return (await (worker or world.own).caller.run(call, request)).total


async def test_a_call_uses_the_stored_token_as_it_is(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()

    assert await search(world, signed_in) > 0
    assert world.drupal.control.count(REFRESHES) == 0


async def test_a_token_about_to_expire_is_refreshed_before_the_call(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(280)

    assert await search(world, signed_in) > 0
    assert world.drupal.control.count(REFRESHES) == 1
    assert world.drupal.control.count("jsonrpc") == 1


async def test_calls_at_once_refresh_once_and_all_succeed(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(301)
    workers = [world.worker() for _ in range(4)]

    totals = await asyncio.gather(*(search(world, signed_in, worker) for worker in workers))

    assert all(total > 0 for total in totals)
    assert world.drupal.control.count(REFRESHES) == 1


async def test_a_token_that_died_with_a_saved_account_is_replaced_and_the_call_repeated(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.save_user("maya")

    assert await search(world, signed_in) > 0
    assert world.drupal.control.count(REFRESHES) == 1
    assert world.drupal.control.count("jsonrpc") == 2


async def test_a_pair_that_another_worker_refreshed_meanwhile_is_used(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    call = await world.call_of(signed_in)
    await world.worker().refresher.refresh(signed_in.grant_id, 1)

    async def request(access_token: str) -> Document:
        return await world.content.read("101", access_token=access_token, timeout_seconds=5)

    document = await world.own.caller.run(call, request)

    assert document.markdown
    assert world.drupal.control.count(REFRESHES) == 1


async def test_a_blocked_account_is_suspended_and_does_not_loop(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")

    with pytest.raises(AccountUnavailableError) as caught:
        await search(world, signed_in)
    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in)

    row = await world.row(signed_in)
    assert caught.value.retry_after_seconds == SUSPENDED_RETRY_SECONDS
    assert row["status"] == "suspended"
    assert row["ended_cause"] is None
    assert world.drupal.control.count(REFRESHES) == 1
    assert world.drupal.control.count("jsonrpc") == 2
    assert ("grant:suspended", {"seconds": 300}) in await world.audit()

    world.drupal.control.block_user("maya", blocked=False)
    clock.advance(SUSPENDED_RETRY_SECONDS + 1)
    assert await search(world, signed_in) > 0
    assert (await world.row(signed_in))["status"] == "active"


async def test_of_calls_at_once_one_tries_a_suspended_account(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")
    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in)
    world.drupal.control.clear_requests()
    clock.advance(SUSPENDED_RETRY_SECONDS)
    workers = [world.worker() for _ in range(6)]

    ended = await asyncio.gather(
        *(search(world, signed_in, worker) for worker in workers), return_exceptions=True
    )

    assert {type(error) for error in ended} == {AccountUnavailableError}
    assert world.drupal.control.count(REFRESHES) == 1
    assert world.drupal.control.count("jsonrpc") == 1


async def test_a_try_that_meets_an_outage_is_followed_by_another_soon(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")
    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in)
    world.drupal.control.block_user("maya", blocked=False)
    clock.advance(SUSPENDED_RETRY_SECONDS)
    world.drupal.control.fail("maintenance_html", route="jsonrpc", times=1)
    with pytest.raises(UpstreamUnavailableError):
        await search(world, signed_in)

    clock.advance(TRY_SECONDS_MAX)

    assert await search(world, signed_in) > 0
    assert [action for action, _ in await world.audit() if action.startswith("grant:")] == [
        "grant:suspended",
        "grant:resumed",
    ]


async def test_a_refusal_of_the_content_shows_that_the_account_works_again(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")
    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in)
    world.drupal.control.block_user("maya", blocked=False)
    clock.advance(SUSPENDED_RETRY_SECONDS)
    call = await world.call_of(signed_in)

    async def request(access_token: str) -> Document:
        return await world.content.read("nowhere", access_token=access_token, timeout_seconds=5)

    with pytest.raises(ContentNotFoundError):
        await world.own.caller.run(call, request)

    assert (await world.row(signed_in))["status"] == "active"


async def test_a_refusal_straight_after_a_refresh_is_not_followed_by_another(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.block_user("maya")
    clock.advance(290)

    with pytest.raises(AccountUnavailableError):
        await search(world, signed_in)

    assert world.drupal.control.count(REFRESHES) == 1


async def test_a_key_that_the_site_cannot_read_suspends_nobody(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.set(public_key_missing=True)

    with pytest.raises(UpstreamUnavailableError):
        await search(world, signed_in)

    assert (await world.row(signed_in))["status"] == "active"
    assert world.drupal.control.count(REFRESHES) == 0


async def test_a_pair_taken_back_by_the_site_ends_the_grant_at_the_next_call(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.advance(20 * 86_400)
    clock.advance(400)

    with pytest.raises(GrantEndedError):
        await search(world, signed_in)

    assert (await world.row(signed_in))["ended_cause"] == EndCause.REJECTED_UPSTREAM.value


async def test_an_ended_grant_calls_nobody(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    async with world.own.database.transaction() as tx:
        await end_grant(tx, grant_id=signed_in.grant_id, cause=EndCause.REVOKED_BY_CLIENT)

    with pytest.raises(GrantEndedError):
        await search(world, signed_in)

    assert world.drupal.control.requests() == []


async def test_while_refreshing_fails_a_token_that_still_lives_is_used(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(280)
    world.drupal.control.fail("maintenance_html", route="token", times=5)

    assert await search(world, signed_in) > 0


async def test_while_refreshing_fails_an_expired_token_gives_an_outage_not_a_sign_out(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(301)
    world.drupal.control.fail("error_html", route="token", times=5)

    with pytest.raises(UpstreamUnavailableError):
        await search(world, signed_in)

    assert world.drupal.control.count(REFRESHES) == 1
    assert (await world.row(signed_in))["status"] == "active"


async def test_a_refused_token_after_a_failed_refresh_is_not_refreshed_again(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(280)
    world.drupal.control.save_user("maya")
    world.drupal.control.fail("error_html", route="token", times=5)

    with pytest.raises(UpstreamUnavailableError):
        await search(world, signed_in)

    assert world.drupal.control.count(REFRESHES) == 1


async def test_no_refresh_begins_that_the_end_of_the_invocation_could_cut_off(
    world: UpstreamWorld, clock: DatabaseClock
) -> None:
    signed_in = await world.sign_in()
    clock.advance(301)

    with (
        request_context.begin_request(function="test", remaining_seconds=6.0),
        pytest.raises(UpstreamTimeoutError),
    ):
        await search(world, signed_in)

    assert world.drupal.control.count(REFRESHES) == 0


async def test_a_dead_search_server_is_told_apart_and_reading_goes_on(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.search_is_down()

    with pytest.raises(SearchUnavailableError):
        await search(world, signed_in)


async def test_a_site_without_the_method_is_the_operators_matter(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    call = await world.call_of(signed_in)

    async def request(access_token: str) -> object:
        return await world.content._rpc.call(
            "nope", {}, access_token=access_token, timeout_seconds=5
        )

    with pytest.raises(UpstreamMisconfiguredError):
        await world.own.caller.run(call, request)


async def test_the_correlation_id_reaches_the_site(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()

    with request_context.begin_request(function="test", correlation_id="abc-12345678"):
        await search(world, signed_in)

    assert world.drupal.control.requests("jsonrpc")[0].correlation_id == "abc-12345678"
