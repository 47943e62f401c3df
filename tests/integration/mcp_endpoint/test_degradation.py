"""What goes on while Postgres or Drupal is away, through the composed function."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from shared.circuit.rules import RULES
from shared.domain.circuits import Dependency
from shared.state.roles import AppRole
from tests.integration.mcp_endpoint.pieces import a_stack
from tests.unit.mcp_endpoint.pieces import tool_call

SEARCH = tool_call("search_tutorials", {"query": "module"})
READ = tool_call("get_tutorial", {"id": "101"})


@contextmanager
def postgres_away(admin: psycopg.Connection[Any]) -> Iterator[None]:
    """The function's role loses its connections and gets no other."""
    database = sql.Identifier(admin.info.dbname)
    admin.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
    admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND usename = %s",
        [AppRole.MCP_ENDPOINT.value],
    )
    try:
        yield
    finally:
        admin.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO PUBLIC").format(database))


async def test_who_was_verified_reads_on_while_postgres_is_away(
    database_url: str, kms_key_id: str, database_admin: psycopg.Connection[Any]
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        await stack.post(READ, maya.token)
        with postgres_away(database_admin):
            read = await stack.post(READ, maya.token)
            found = await stack.post(SEARCH, maya.token)
            site_tool = await stack.post(tool_call("user_me"), maya.token)
            stranger = await stack.post(READ, felix.token)

    for answer in (read, found):
        assert answer.json()["result"]["isError"] is False
    for refused in (site_tool, stranger):
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) >= 1
        assert refused.json()["error"]["data"]["code"] == "database_unavailable"


async def test_what_a_person_was_shown_is_read_again_while_drupal_is_away(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        shown = await stack.post(READ, maya.token)
        # In order behind the closing of the call before, on the function's one connection.
        await stack.post(tool_call("account_status"), maya.token)
        stack.site.control.fail("error_html", route="jsonrpc", times=50)
        copy = await stack.post(READ, maya.token)
        never_read = await stack.post(tool_call("get_tutorial", {"id": "102"}), maya.token)
        stranger = await stack.post(READ, felix.token)

    text = shown.json()["result"]["structuredContent"]["markdown"]
    copied = copy.json()["result"]
    assert copied["isError"] is False
    assert copied["structuredContent"]["markdown"] == text
    assert copied["structuredContent"]["copy_age_seconds"] >= 0
    for refused in (never_read, stranger):
        error = refused.json()["result"]["structuredContent"]["error"]
        assert error["category"] == "system"
        assert error["retry_after_seconds"] >= 1


async def test_a_search_finds_again_what_it_found_while_search_is_away(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        found = await stack.post(SEARCH, maya.token)
        # In order behind the closing of the call before, on the function's one connection.
        await stack.post(tool_call("account_status"), maya.token)
        stack.site.control.search_is_down()
        for _ in range(RULES[Dependency.DRUPAL_SEARCH].calls_min):
            again = await stack.post(SEARCH, maya.token)
        asked = len(stack.site.control.requests("jsonrpc"))
        circuit_open = await stack.post(SEARCH, maya.token)
        asked_since = len(stack.site.control.requests("jsonrpc")) - asked
        another = await stack.post(tool_call("search_tutorials", {"query": "theme"}), maya.token)
        stranger = await stack.post(SEARCH, felix.token)

    results = found.json()["result"]["structuredContent"]["results"]
    assert results
    for stale in (again, circuit_open):
        told = stale.json()["result"]["structuredContent"]
        assert told["results"] == results
        assert told["results_age_seconds"] >= 0
    assert asked_since == 0
    for refused in (another, stranger):
        error = refused.json()["result"]["structuredContent"]["error"]
        assert error["code"] == "search_unavailable"


async def test_recent_results_serve_their_person_without_the_site_where_operators_want_it(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id, search_recent_seconds="300") as stack:
        maya, felix = await stack.sign_in("maya"), await stack.sign_in("felix")
        first = await stack.post(SEARCH, maya.token)
        await stack.post(tool_call("account_status"), maya.token)
        second = await stack.post(SEARCH, maya.token)
        asked_by_one = len(stack.site.control.requests("jsonrpc"))
        other = await stack.post(SEARCH, felix.token)
        asked_by_two = len(stack.site.control.requests("jsonrpc"))

    told = [one.json()["result"]["structuredContent"] for one in (first, second, other)]
    assert told[1]["results"] == told[0]["results"]
    assert ["results_age_seconds" in one for one in told] == [False, True, False]
    assert (asked_by_one, asked_by_two) == (1, 2)
