"""A check fails for each thing that is wrong, and says nothing of what it was sent."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from functions.mcp_endpoint.tools.presentation import SearchOutput
from shared.checks.catalogue import (
    AGE_OF_KEPT,
    CHECKS,
    SITE_QUERIES,
    CanaryAccount,
    CheckName,
    Deployment,
)
from shared.checks.doors import Answered, Door, Question
from shared.checks.runner import CheckOutcome, run_checks
from shared.settings import McpEndpointFunctionSettings
from tests.support.scripted_doors import ScriptedDoors, answered

ISSUER, MCP = "https://auth.example", "https://mcp.example/mcp"
CANARY = "never to be repeated"
ACCOUNT = CanaryAccount("client", "https://client.example/cb", "dmcp_at_live", "dmcp_at_former")
CHALLENGE = 'Bearer error="invalid_token", resource_metadata="https://mcp.example"'
RIGHT: dict[CheckName, Answered] = {
    CheckName.RESOURCE_METADATA: answered(
        200, {"resource": MCP, "authorization_servers": [ISSUER]}
    ),
    CheckName.SERVER_METADATA: answered(
        200, {"issuer": ISSUER, "code_challenge_methods_supported": ["S256"]}
    ),
    CheckName.ENDPOINT_LIVES: answered(200, {}),
    CheckName.OAUTH_LIVES: answered(200, {}),
    CheckName.UNKNOWN_BEARER_REFUSED: answered(401, {}, x_mcp_challenge=CHALLENGE),
    CheckName.FORMER_BEARER_REFUSED: answered(401, {}, x_mcp_challenge=CHALLENGE),
    CheckName.CONSENT_PAGE: answered(
        200, b'<input name="consent">', content_security_policy="frame-ancestors 'none'"
    ),
    CheckName.TOOL_CALL: answered(200, {"result": {"content": []}}),
    CheckName.SITE_CALL: answered(200, {"result": {"content": [], "isError": False}}),
}
WRONG: list[tuple[CheckName, Answered | None, CheckOutcome]] = [
    (CheckName.RESOURCE_METADATA, answered(404, {"error": CANARY}), CheckOutcome.FAILED),
    (CheckName.RESOURCE_METADATA, answered(200, {"resource": CANARY}), CheckOutcome.FAILED),
    (
        CheckName.RESOURCE_METADATA,
        answered(200, {"resource": MCP, "authorization_servers": [CANARY]}),
        CheckOutcome.FAILED,
    ),
    (CheckName.RESOURCE_METADATA, answered(200, b"<html>"), CheckOutcome.FAILED),
    (CheckName.RESOURCE_METADATA, None, CheckOutcome.UNREACHABLE),
    (CheckName.SERVER_METADATA, answered(200, {"issuer": CANARY}), CheckOutcome.FAILED),
    (CheckName.SERVER_METADATA, answered(200, {"issuer": ISSUER}), CheckOutcome.FAILED),
    (CheckName.SERVER_METADATA, answered(200, [CANARY]), CheckOutcome.FAILED),
    (CheckName.ENDPOINT_LIVES, answered(503, {}), CheckOutcome.FAILED),
    (CheckName.OAUTH_LIVES, None, CheckOutcome.UNREACHABLE),
    (CheckName.UNKNOWN_BEARER_REFUSED, answered(200, {}), CheckOutcome.BYPASSED),
    (CheckName.UNKNOWN_BEARER_REFUSED, answered(202, {}), CheckOutcome.BYPASSED),
    (CheckName.UNKNOWN_BEARER_REFUSED, answered(503, {}), CheckOutcome.FAILED),
    (CheckName.UNKNOWN_BEARER_REFUSED, answered(401, {}), CheckOutcome.FAILED),
    (CheckName.FORMER_BEARER_REFUSED, answered(200, {}), CheckOutcome.BYPASSED),
    (CheckName.CONSENT_PAGE, answered(400, b"<p>unknown client"), CheckOutcome.FAILED),
    (CheckName.CONSENT_PAGE, answered(200, b"<p>no form"), CheckOutcome.FAILED),
    (CheckName.CONSENT_PAGE, answered(200, b'<input name="consent">'), CheckOutcome.FAILED),
    (CheckName.TOOL_CALL, answered(401, {}), CheckOutcome.FAILED),
    (CheckName.TOOL_CALL, answered(200, {"error": {"message": CANARY}}), CheckOutcome.FAILED),
    (CheckName.SITE_CALL, answered(200, {"result": {"isError": True}}), CheckOutcome.FAILED),
    (
        CheckName.SITE_CALL,
        answered(200, {"result": {"structuredContent": {AGE_OF_KEPT: 60}}}),
        CheckOutcome.FAILED,
    ),
]


def deployment(
    answer: Callable[[Question], Answered | None], account: CanaryAccount | None = ACCOUNT
) -> Deployment:
    return Deployment(ScriptedDoors(answer), ISSUER, MCP, account)


@pytest.mark.parametrize("check", list(CHECKS))
async def test_a_right_answer_passes(check: CheckName) -> None:
    (finding,) = await run_checks(deployment(lambda _question: RIGHT[check]), [check])

    assert finding.passed
    assert finding.reason == ""


@pytest.mark.parametrize(("check", "answer", "outcome"), WRONG)
async def test_a_wrong_answer_is_named_and_not_repeated(
    check: CheckName, answer: Answered | None, outcome: CheckOutcome
) -> None:
    (finding,) = await run_checks(deployment(lambda _question: answer), [check])

    assert finding.outcome is outcome
    assert finding.reason
    assert CANARY not in repr(finding)


def test_every_check_has_something_that_fails_it() -> None:
    assert {check for check, _, _ in WRONG} == set(CHECKS) == set(RIGHT)


async def test_one_failure_keeps_no_other_check_from_running() -> None:
    findings = await run_checks(deployment(lambda _question: None))

    assert [finding.check for finding in findings] == list(CHECKS)
    assert not any(finding.passed for finding in findings)


async def test_without_an_account_nothing_is_asked_that_needs_one() -> None:
    doors = ScriptedDoors(lambda _question: None)
    needing = [CheckName.CONSENT_PAGE, CheckName.TOOL_CALL, CheckName.SITE_CALL]

    findings = await run_checks(Deployment(doors, ISSUER, MCP), needing)

    assert all(finding.passed for finding in findings)
    assert doors.asked == []


async def test_questions_go_to_their_door_and_tokens_into_one_header_only() -> None:
    seen: list[Question] = []

    def answer(question: Question) -> None:
        seen.append(question)

    await run_checks(deployment(answer))

    doors = {question.path.partition("?")[0]: question.door for question in seen}
    assert doors["/mcp"] is Door.MCP
    assert doors["/authorize"] is Door.OAUTH
    for question in seen:
        rest: dict[str, Any] = {**question.headers, "path": question.path, "body": question.body}
        authorization = rest.pop("authorization", "")
        assert "dmcp_at_" not in json.dumps(rest)
        assert (question.path == "/mcp") is authorization.startswith("Bearer dmcp_at_")
        assert "dmcp_at_" not in repr(question)


def test_the_site_is_asked_for_what_no_recent_search_can_answer() -> None:
    recent = McpEndpointFunctionSettings.model_fields["search_recent_seconds"].metadata
    seconds_max = max(limit.le for limit in recent if hasattr(limit, "le"))

    assert len(set(SITE_QUERIES)) * 60 > seconds_max
    assert AGE_OF_KEPT in SearchOutput.model_fields
