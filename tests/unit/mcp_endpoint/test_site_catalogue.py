"""Whose tools are remembered, for how long, and what happens while the site is away."""

from dataclasses import replace
from datetime import timedelta

import pytest

from functions.mcp_endpoint.site_catalogue import PAUSE_SECONDS, PEOPLE_MAX
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import UserId, new_id
from shared.domain.site_tools import FRESH_SECONDS, STALE_SECONDS_MAX
from shared.state.database import DatabaseUnavailableError
from shared.upstream.drupal_tools import ListedTool
from shared.upstream.failures import (
    AccessForbiddenError,
    UpstreamMisconfiguredError,
    UpstreamUnavailableError,
)
from shared.workflows.suspension import AccountUnavailableError, GrantEndedError
from tests.unit.mcp_endpoint.pieces import Endpoint, a_call, an_endpoint

PING = ListedTool(name="public.ping")
ME = ListedTool(name="user.me")


def _later(call: AuthenticatedCall, seconds: float) -> AuthenticatedCall:
    return replace(call, now=call.now + timedelta(seconds=seconds))


async def _names(endpoint: Endpoint, call: AuthenticatedCall) -> list[str]:
    return [tool.name for tool in await endpoint.site_catalogue.tools(call)]


async def test_a_list_is_good_for_five_minutes_and_then_asked_for_again() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        first = await _names(endpoint, call)
        endpoint.site.tools = [PING, ME]
        within = await _names(endpoint, _later(call, FRESH_SECONDS - 1))
        after = await _names(endpoint, _later(call, FRESH_SECONDS))

    assert first == within == ["public_ping"]
    assert after == ["public_ping", "user_me"]
    assert endpoint.site.listings == 2


async def test_another_person_gets_their_own_list() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.tools = [PING]
        await _names(endpoint, a_call())
        endpoint.site.tools = [ME]
        other = await _names(endpoint, a_call())

    assert other == ["user_me"]
    assert endpoint.site.listed_for == [("site token of 42", 8.0)] * 2


async def test_a_list_in_the_database_spares_the_site() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        await _names(endpoint, call)
        endpoint.site_catalogue.forget()
        again = await _names(endpoint, _later(call, 10))

    assert again == ["public_ping"]
    assert endpoint.site.listings == 1


async def test_an_old_list_serves_for_a_day_while_the_site_is_away() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        await _names(endpoint, call)
        endpoint.site.listing_failure = UpstreamUnavailableError()
        old = await _names(endpoint, _later(call, STALE_SECONDS_MAX - 1))
        too_old = await _names(endpoint, _later(call, STALE_SECONDS_MAX + PAUSE_SECONDS))

    assert old == ["public_ping"]
    assert too_old == []


async def test_a_site_that_is_away_is_left_alone_for_a_while() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.listing_failure = UpstreamUnavailableError()
        asked = []
        for seconds in (0, 1, PAUSE_SECONDS - 1, PAUSE_SECONDS):
            await _names(endpoint, _later(call, seconds))
            asked.append(endpoint.site.listings)

    assert asked == [1, 1, 1, 2]


@pytest.mark.parametrize(
    "failure", [AccessForbiddenError(), UpstreamMisconfiguredError(), AccountUnavailableError()]
)
async def test_a_site_that_says_no_has_nothing_to_list(failure: Exception) -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        await _names(endpoint, call)
        endpoint.site.listing_failure = failure
        seen = [await _names(endpoint, _later(call, seconds)) for seconds in (400, 500)]

    assert seen == [[], []]
    assert endpoint.site.listings == 2


async def test_an_ended_grant_is_told() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.listing_failure = GrantEndedError()
        with pytest.raises(GrantEndedError):
            await _names(endpoint, a_call())
        answer = await endpoint.post(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, endpoint.bearers.issue()
        )

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "grant_ended"


async def test_a_database_that_is_away_costs_a_question_to_the_site() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.lists.outage = DatabaseUnavailableError()
        endpoint.site.tools = [PING]
        names = await _names(endpoint, call)
        again = await _names(endpoint, _later(call, 1))
        endpoint.site.listing_failure = UpstreamUnavailableError()
        stale = await _names(endpoint, _later(call, 1_000))

    assert names == again == stale == ["public_ping"]
    assert endpoint.site.listings == 2


async def test_whatever_goes_wrong_our_own_tools_are_listed() -> None:
    async with an_endpoint() as endpoint:
        endpoint.site.listing_failure = RuntimeError("secret")
        answer = await endpoint.post(
            {"jsonrpc": "2.0", "id": 1, "method": "tools/list"}, endpoint.bearers.issue()
        )

    names = [tool["name"] for tool in answer.json()["result"]["tools"]]
    assert names == ["search_tutorials", "get_tutorial", "search", "fetch", "account_status"]
    assert "secret" not in answer.text


async def test_a_known_name_is_found_in_an_old_list_without_asking_the_site() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        await _names(endpoint, call)
        found = await endpoint.site_catalogue.find("public_ping", _later(call, 10_000))
        asked = endpoint.site.listings
        unknown = await endpoint.site_catalogue.find("user_me", _later(call, 10_000))

    assert found is not None
    assert found.site_name == "public.ping"
    assert (asked, unknown, endpoint.site.listings) == (1, None, 2)


async def test_a_name_that_a_new_list_lacks_is_asked_for_at_the_site() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING]
        await _names(endpoint, call)
        endpoint.site.tools = [PING, ME]
        found = await endpoint.site_catalogue.find("user_me", _later(call, 1))
        names = await _names(endpoint, _later(call, 2))

    assert found is not None
    assert names == ["public_ping", "user_me"]
    assert endpoint.site.listings == 2


async def test_a_doubted_list_is_asked_for_again_at_once() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        endpoint.site.tools = [PING, ME]
        await _names(endpoint, call)
        endpoint.site.tools = [ME]
        endpoint.site_catalogue.doubt(_later(call, 5))
        names = await _names(endpoint, _later(call, 6))
        await _names(endpoint, _later(call, 7))

    assert names == ["user_me"]
    assert endpoint.site.listings == 2


async def test_only_the_people_seen_last_are_remembered_in_memory() -> None:
    async with an_endpoint() as endpoint:
        first = a_call()
        endpoint.site.tools = [PING]
        for _ in range(PEOPLE_MAX + 1):
            call = a_call()
            grant = replace(call.grant, user_id=UserId(new_id()))
            await _names(endpoint, replace(call, grant=grant))
        await _names(endpoint, first)

    assert len(endpoint.site_catalogue._near._values) == PEOPLE_MAX
    assert len(endpoint.lists.kept) == PEOPLE_MAX + 2
