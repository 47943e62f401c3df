"""Circuits in the composed function: tool calls while the site, its search or nothing is away."""

from typing import Any

from shared.circuit.rules import RULES
from shared.domain.circuits import CircuitState, Dependency
from shared.domain.tokens import PlainToken
from shared.state import forced_circuits
from tests.integration.mcp_endpoint.pieces import Stack, a_stack
from tests.integration.state.pieces import value
from tests.unit.mcp_endpoint.pieces import tool_call

RPC = Dependency.DRUPAL_RPC
SEARCH = tool_call("search_tutorials", {"query": "module"})
ENOUGH = RULES[RPC].calls_min


async def told(stack: Stack, message: dict[str, Any], token: PlainToken) -> dict[str, Any]:
    """What a model reads of a call: the error's facts, or an empty object."""
    result = (await stack.post(message, token)).json()["result"]
    return dict(result["structuredContent"]["error"]) if result["isError"] else {}


async def document_id(stack: Stack, token: PlainToken) -> str:
    found = (await stack.post(SEARCH, token)).json()["result"]["structuredContent"]
    return str(found["results"][0]["id"])


async def test_a_site_that_is_away_is_asked_no_more_and_callers_hear_when_to_come_back(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.fail("maintenance_html", route="jsonrpc", times=1_000)
        for _ in range(ENOUGH):
            assert (await told(stack, SEARCH, maya.token))["code"] == "upstream_maintenance"
        asked = len(stack.site.control.requests("jsonrpc"))
        refused = await told(stack, SEARCH, maya.token)
        assert len(stack.site.control.requests("jsonrpc")) == asked == ENOUGH
        reported = await value(stack.database, "SELECT sum(failures) FROM app.circuit_calls")

    assert refused["code"] == "upstream_unavailable"
    assert refused["retryable"]
    assert 1 <= refused["retry_after_seconds"] <= RULES[RPC].open_seconds * 1.2 + 1
    assert reported is not None


async def test_a_read_that_meets_a_bad_moment_is_answered_all_the_same(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        stack.site.control.fail("close_before", route="jsonrpc", times=1)
        assert await told(stack, SEARCH, maya.token) == {}
        assert len(stack.site.control.requests("jsonrpc")) == 2


async def test_reading_goes_on_while_search_is_away(database_url: str, kms_key_id: str) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        read = tool_call("get_tutorial", {"id": await document_id(stack, maya.token)})
        stack.site.control.search_is_down()
        other = tool_call("search_tutorials", {"query": "theme"})
        for _ in range(ENOUGH + 1):
            assert (await told(stack, other, maya.token))["code"] == "search_unavailable"
        asked = len(stack.site.control.requests("jsonrpc"))
        assert (await told(stack, other, maya.token))["code"] == "search_unavailable"
        assert len(stack.site.control.requests("jsonrpc")) == asked
        assert await told(stack, read, maya.token) == {}
        circuits = stack.parts.opened.circuits if stack.parts else None

    assert circuits is not None
    assert circuits.standing(Dependency.DRUPAL_SEARCH).state is CircuitState.OPEN
    assert circuits.standing(RPC).state is CircuitState.CLOSED


async def test_refused_accounts_and_arguments_open_nothing(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        felix = await stack.sign_in("felix")
        missing = tool_call("get_tutorial", {"id": "no-such-tutorial"})
        for _ in range(ENOUGH * 2):
            assert (await told(stack, missing, felix.token))["category"] != "system"
        assert await told(stack, SEARCH, felix.token) == {}


async def test_what_an_operator_forces_holds_from_the_next_call_on(
    database_url: str, kms_key_id: str
) -> None:
    async with a_stack(database_url, kms_key_id) as stack:
        maya = await stack.sign_in("maya")
        async with stack.database.transaction() as tx:
            await forced_circuits.force(tx, RPC, CircuitState.FORCED_OPEN)
        assert (await told(stack, SEARCH, maya.token))["code"] == "upstream_unavailable"
        assert not stack.site.control.requests("jsonrpc")
        async with stack.database.transaction() as tx:
            await forced_circuits.force(tx, RPC, CircuitState.DISABLED)
        assert await told(stack, SEARCH, maya.token) == {}
