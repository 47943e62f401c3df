"""Outages of the database during token requests: short ones are not noticed, long ones say so."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx2
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.ride_out import ride_out
from shared.state.database import Database
from shared.state.driver_errors import CommitUnknownError, DatabaseUnavailableError
from tests.integration.oauth.driver import ISSUER, MCP_URL, Driver

NOWHERE = "host=127.0.0.1 port=1 dbname=none connect_timeout=1"


def failing(times: int, error: type[DatabaseUnavailableError]) -> Callable[[], Awaitable[int]]:
    """An attempt that fails so many times, then says how many it took."""
    made = 0

    async def attempt() -> int:
        nonlocal made
        made += 1
        if made <= times:
            raise error
        return made

    return attempt


async def test_a_short_outage_is_ridden_out() -> None:
    assert await ride_out(failing(2, DatabaseUnavailableError), seconds=8, repeatable=False) == 3


async def test_an_unknown_commit_is_repeated_only_where_that_is_safe() -> None:
    assert await ride_out(failing(1, CommitUnknownError), seconds=8, repeatable=True) == 2
    with pytest.raises(CommitUnknownError):
        await ride_out(failing(1, CommitUnknownError), seconds=8, repeatable=False)


async def test_a_refresh_goes_on_when_the_database_comes_back_within_the_request(
    driver: Driver, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokens = await driver.tokens()
    own = database._connect
    refused = 0

    async def connect(*arguments: object, **options: object) -> object:
        nonlocal refused
        if refused < 2:
            refused += 1
            raise DatabaseUnavailableError
        return await own(*arguments, **options)  # type: ignore[arg-type] # passed through

    await database.drop_connections()
    monkeypatch.setattr(database, "_connect", connect)

    answer = await driver.refresh(tokens["refresh_token"])

    assert answer.status_code == 200
    assert refused == 2


async def test_a_refresh_needs_neither_drupal_nor_keys(
    driver: Driver, dependencies: Dependencies
) -> None:
    tokens = await driver.tokens()
    bare = replace(dependencies, vault=None, upstream=None)  # type: ignore[arg-type] # nobody asks them
    transport = httpx2.ASGITransport(app=create_app(bare))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        answer = await driver.refresh(tokens["refresh_token"])

    assert answer.status_code == 200


async def test_a_session_of_another_resource_must_sign_in_again(
    driver: Driver, dependencies: Dependencies
) -> None:
    tokens = await driver.tokens()
    moved = replace(dependencies, mcp_url=f"{MCP_URL}/v2")
    transport = httpx2.ASGITransport(app=create_app(moved))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        answer = await driver.refresh(tokens["refresh_token"])

    assert answer.json()["error"] == "invalid_grant"


async def test_an_unreachable_database_says_try_again_everywhere(
    driver: Driver, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await driver.register()
    await database.drop_connections()
    monkeypatch.setattr(database, "_conninfo", NOWHERE)

    page = await driver.authorize()
    token = await driver.refresh("dmcp_rt_" + "A" * 43)

    assert page.status_code == 503
    assert int(page.headers["retry-after"]) > 0
    assert "start again from your application" in page.text
    assert token.status_code == 503
    assert token.json()["error"] == "temporarily_unavailable"
    assert int(token.headers["retry-after"]) > 0
