"""Every way in which the site fails, met by a tool call: a table of what the model is told.

None of them is a 500, a sign-out, or a text of the site's.
"""

from typing import Any, Final

import httpx2

from scripts.fake_drupal.faults import FaultKind
from shared.errors.catalogue import ErrorCode
from tests.integration.mcp_endpoint.pieces import SignedIn, Stack, a_stack
from tests.unit.mcp_endpoint.pieces import tool_call

SEARCH = tool_call("search_tutorials", {"query": "module"})
NEVER_FOUND = tool_call("search_tutorials", {"query": "theme"})
"""Its only tries meet the fault: nothing was kept that could stand in."""
CALLS_BETWEEN = 4
"""Successes before each fault, so that the circuit has no reason to open."""

AWAY, INVALID = ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_ANSWER_INVALID
TOLD: Final[dict[FaultKind, ErrorCode]] = {
    FaultKind.CLOSE_BEFORE: AWAY,
    FaultKind.CLOSE_AFTER: AWAY,
    FaultKind.TRUNCATED: AWAY,
    FaultKind.OVERSIZED: INVALID,
    FaultKind.ERROR_HTML: AWAY,
    FaultKind.ERROR_JSON: AWAY,
    FaultKind.MAINTENANCE_HTML: ErrorCode.UPSTREAM_MAINTENANCE,
    FaultKind.MAINTENANCE_TEXT: ErrorCode.UPSTREAM_MAINTENANCE,
    FaultKind.INSTALL_REDIRECT: AWAY,
    FaultKind.PROXY_PAGE: AWAY,
    FaultKind.BOT_CHALLENGE: AWAY,
    FaultKind.NOT_JSON: AWAY,
    FaultKind.RATE_LIMITED: ErrorCode.UPSTREAM_RATE_LIMITED,
    FaultKind.UNAUTHORIZED_SERVER_ERROR: AWAY,
}


async def _met(stack: Stack, person: SignedIn, kind: FaultKind) -> httpx2.Response:
    for _ in range(CALLS_BETWEEN):
        working = await stack.post(SEARCH, person.token)
        assert working.json()["result"]["isError"] is False, (kind, working.text)
    # Twice, so that the one retry meets it too.
    stack.site.control.fail(kind, route="jsonrpc", times=2)
    answer = await stack.post(NEVER_FOUND, person.token)
    stack.site.control.clear_faults()
    return answer


async def test_each_fault_of_the_site_is_told_in_our_words_with_a_time(
    database_url: str, kms_key_id: str
) -> None:
    found: dict[FaultKind, Any] = {}
    async with a_stack(database_url, kms_key_id, call_limits_factor="100") as stack:
        maya = await stack.sign_in("maya")
        for kind in TOLD:
            found[kind] = await _met(stack, maya, kind)

    errors = {
        kind: answer.json()["result"]["structuredContent"]["error"]
        for kind, answer in found.items()
    }
    assert {kind: error["code"] for kind, error in errors.items()} == {
        kind: code.value for kind, code in TOLD.items()
    }
    for kind, answer in found.items():
        assert answer.status_code == 200, kind
        assert errors[kind]["retryable"], kind
        assert errors[kind]["retry_after_seconds"] >= 1, kind
        assert "<" not in answer.json()["result"]["content"][0]["text"], kind
