"""Postgres killed and restarted in the middle of tool calls, step by step.

No wrong answer, nobody signed out, and whoever was refused is served when they ask once more.
"""

import asyncio
from collections.abc import Iterator
from typing import Any, Final, LiteralString

import httpx2
import psycopg
import pytest

from scripts.local_stack.postgres import PostgresServer, temporary_postgres
from shared.state.migrator import migrate
from shared.state.roles import AppRole
from tests.integration.mcp_endpoint.pieces import Stack, a_stack
from tests.unit.mcp_endpoint.pieces import tool_call

DATABASE: Final = "killed"
READ: Final = tool_call("get_tutorial", {"id": "101"})
SEARCH: Final = tool_call("search_tutorials", {"query": "module"})
WAIT_SECONDS_MAX: Final = 30.0
_ENDED: Final[LiteralString] = "SELECT count(*) FROM app.grants WHERE status <> 'active'"
_BLOCKED: Final[LiteralString] = (
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
)
_USED: Final[LiteralString] = "SELECT count(*) FROM app.usage_events"


@pytest.fixture
def server() -> Iterator[PostgresServer]:
    """A server of this test's own, whose commits outlive its death."""
    with temporary_postgres(durable=True) as running:
        with psycopg.connect(running.conninfo(), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {DATABASE}")
        everybody: dict[AppRole, str | None] = dict.fromkeys(AppRole)
        migrate(running.conninfo(DATABASE), app_roles=everybody)
        yield running


def content_of(answer: httpx2.Response) -> Any:
    """What the tool found."""
    result = answer.json()["result"]
    assert result["isError"] is False, result
    return result["structuredContent"]


def is_refused(answer: httpx2.Response) -> bool:
    """A 503 that says why, and when to come back."""
    error = answer.json()["error"]["data"]
    assert int(answer.headers["retry-after"]) >= 1
    return answer.status_code == 503 and error["code"] == "database_unavailable"


def number(server: PostgresServer, query: LiteralString) -> int:
    """The one number of a query, as the owner sees it."""
    with psycopg.connect(server.conninfo(DATABASE), autocommit=True) as connection:
        row = connection.execute(query).fetchone()
    assert row is not None
    return int(row[0])


async def test_calls_under_way_and_newcomers_survive_a_killed_postgres(
    server: PostgresServer, kms_key_id: str
) -> None:
    async with a_stack(server.conninfo(DATABASE), kms_key_id) as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        right = content_of(await stack.post(READ, maya.token))
        gate = stack.site.control.hold(route="jsonrpc")
        under_way = asyncio.create_task(stack.post(READ, maya.token))
        await gate.reached()
        server.crash()
        refused = await stack.post(SEARCH, felix.token)
        server.come_back()
        gate.release()
        served = await under_way
        repeated = await stack.post(SEARCH, felix.token)

    assert content_of(served) == right
    assert is_refused(refused)
    assert content_of(repeated)["results"]
    assert number(server, _ENDED) == 0
    # The first read, the one under way, and the repeated search; each is counted once.
    assert number(server, _USED) == 3


async def test_a_statement_that_dies_with_postgres_is_refused_and_not_repeated_blindly(
    server: PostgresServer, kms_key_id: str
) -> None:
    async with a_stack(server.conninfo(DATABASE), kms_key_id) as stack:
        felix = await stack.sign_in("felix")
        under_way = await _blocked_call(server, stack, felix.token)
        server.crash()
        refused = await under_way
        asked = len(stack.site.control.requests("jsonrpc"))
        server.come_back()
        repeated = await stack.post(SEARCH, felix.token)

    assert is_refused(refused)
    assert asked == 0
    assert content_of(repeated)["results"]
    assert number(server, _ENDED) == 0
    assert number(server, _USED) == 1


async def _blocked_call(
    server: PostgresServer, stack: Stack, token: str
) -> asyncio.Task[httpx2.Response]:
    """A call whose first statement waits for a lock that ends with the server."""
    holder = psycopg.connect(server.conninfo(DATABASE))
    holder.execute("LOCK TABLE app.access_tokens IN ACCESS EXCLUSIVE MODE")
    call = asyncio.create_task(stack.post(SEARCH, token))
    async with asyncio.timeout(WAIT_SECONDS_MAX):
        while await asyncio.to_thread(number, server, _BLOCKED) == 0:
            assert not call.done()
    call.add_done_callback(lambda _: holder.close())
    return call
