"""Outages of the database during token requests: short ones are not noticed, long ones say so."""

from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from typing import Any

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows import ride_out as ride_out_module
from functions.oauth.flows.ride_out import ANSWER_SECONDS, RIDE_OUT_SECONDS_MAX, ride_out
from shared.observability.request_context import begin_request, remaining_seconds
from shared.state.database import Database, Transaction
from shared.state.driver_errors import CommitUnknownError, DatabaseUnavailableError
from tests.integration.oauth.driver import ISSUER, MCP_URL, Driver
from tests.support.unreliable_database import UnreliableDatabase


@dataclass
class SimulatedTime:
    """A clock that moves only when somebody sleeps on it."""

    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


class AwayUntil(Database):
    """A database that is away until a moment of a simulated time."""

    def __init__(self, conninfo: str, time: SimulatedTime, back_at: float) -> None:
        super().__init__(conninfo)
        self._time = time
        self._back_at = back_at

    def transaction(
        self, *, timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        if self._time.now < self._back_at:
            raise DatabaseUnavailableError
        return super().transaction(timeout_seconds=timeout_seconds)


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


@pytest.mark.parametrize("error", [DatabaseUnavailableError, CommitUnknownError])
async def test_a_short_outage_is_ridden_out(error: type[DatabaseUnavailableError]) -> None:
    assert await ride_out(failing(2, error), seconds=8) == 3


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


@pytest.mark.parametrize(
    ("away_seconds", "status"), [(RIDE_OUT_SECONDS_MAX - 1, 200), (RIDE_OUT_SECONDS_MAX + 1, 503)]
)
async def test_a_refresh_waits_out_eight_seconds_of_the_databases_absence_and_no_more(
    away_seconds: float,
    status: int,
    driver: Driver,
    dependencies: Dependencies,
    role_url: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    tokens = await driver.tokens()
    time = SimulatedTime()
    monkeypatch.setattr(ride_out_module, "time", time)
    monkeypatch.setattr(ride_out_module, "asyncio", time)
    database = AwayUntil(role_url, time, away_seconds)
    patient = replace(dependencies, database=database, ride_out_seconds=RIDE_OUT_SECONDS_MAX)
    transport = httpx2.ASGITransport(app=create_app(patient))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        answer = await driver.refresh(tokens["refresh_token"])
    await database.close()

    assert answer.status_code == status
    assert RIDE_OUT_SECONDS_MAX - 1 <= time.now <= RIDE_OUT_SECONDS_MAX
    if status == 503:
        assert answer.json()["error"] == "temporarily_unavailable"


async def test_a_code_whose_commit_was_not_acknowledged_gives_its_tokens_all_the_same(
    driver: Driver, dependencies: Dependencies, role_url: str
) -> None:
    await driver.register()
    code = await driver.sign_in()
    database = UnreliableDatabase(role_url)
    database.lost_commits = 1
    transport = httpx2.ASGITransport(app=create_app(replace(dependencies, database=database)))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        answer = await driver.redeem(code)
        again = await driver.refresh(answer.json()["refresh_token"])
    await database.close()

    assert answer.status_code == 200
    assert answer.json()["scope"] == "tutorial:search tutorial:read"
    assert again.status_code == 200


async def test_a_code_taken_by_another_request_is_a_replay_in_an_outage_too(
    driver: Driver, dependencies: Dependencies, role_url: str
) -> None:
    await driver.register()
    code = await driver.sign_in()
    tokens = (await driver.redeem(code)).json()
    database = UnreliableDatabase(role_url)
    database.lost_commits = 1
    transport = httpx2.ASGITransport(app=create_app(replace(dependencies, database=database)))
    async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
        driver.http = http
        answer = await driver.redeem(code)
        after = await driver.refresh(tokens["refresh_token"])
    await database.close()

    assert answer.json()["error"] == "invalid_grant"
    assert after.json()["error"] == "invalid_grant"


async def test_a_database_that_dawdles_leaves_the_request_time_to_say_so(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    with (
        database_admin.transaction(),
        begin_request(function="oauth", remaining_seconds=ANSWER_SECONDS + 0.3),
    ):
        database_admin.execute("SELECT 1 FROM app.grants FOR UPDATE")
        answer = await driver.refresh(tokens["refresh_token"])
        left_seconds = remaining_seconds()

    assert answer.status_code == 503
    assert left_seconds > ANSWER_SECONDS / 2


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
