"""Refusals of the bearer check: status, the one challenge, and the same in the body."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from functions.mcp_endpoint.bearer import AccessWithdrawnError
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.tokens import TokenKind, mint
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode
from tests.unit.mcp_endpoint.pieces import NOW, a_call, an_endpoint, tool_call

SCOPES = " ".join(SCOPES_OFFERED)
PING = {"jsonrpc": "2.0", "id": "a-1", "method": "ping"}


class DatabaseAwayError(UnavailableError):
    code = ErrorCode.DATABASE_UNAVAILABLE


async def test_an_absent_token_gets_one_challenge_without_an_error() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(PING, None)

    metadata = endpoint.url.replace("/mcp", "/.well-known/oauth-protected-resource/mcp")
    expected = f'Bearer resource_metadata="{metadata}", scope="{SCOPES}"'
    assert answer.status_code == 401
    assert answer.headers.get_list("www-authenticate") == [expected]
    assert answer.headers["x-mcp-challenge"] == expected
    body = answer.json()
    assert (body["id"], body["error"]["code"]) == ("a-1", -32001)
    assert body["error"]["data"]["resource_metadata"] == metadata
    assert body["error"]["data"]["scope"] == SCOPES
    assert "error" not in body["error"]["data"]
    assert endpoint.bearers.lookups == 0


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"token_expires_at": NOW}, "access_token_expired"),
        ({"resource": "https://other.example.org/mcp"}, "audience_mismatch"),
        ({"session_ended": True}, "grant_ended"),
        ({"grant_ended": True}, "grant_ended"),
        ({"call": None}, "grant_ended"),
    ],
)
async def test_a_known_token_that_no_longer_counts_is_invalid_token(
    changes: dict[str, Any], code: str
) -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue(**changes)
        answer = await endpoint.post(PING, token)

    challenge = answer.headers["www-authenticate"]
    data = answer.json()["error"]["data"]
    assert answer.status_code == 401
    assert challenge.startswith('Bearer error="invalid_token", error_description="')
    assert challenge.count("Bearer") == 1
    assert (data["code"], data["error"]) == (code, "invalid_token")
    assert token not in answer.text


async def test_a_token_is_good_until_the_second_it_expires() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue(token_expires_at=NOW + timedelta(seconds=1))
        answer = await endpoint.post(PING, token)

    assert answer.status_code == 200


async def test_an_unknown_token_of_our_shape_is_looked_up_and_refused() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(PING, mint(TokenKind.ACCESS))

    assert answer.status_code == 401
    assert answer.json()["error"]["data"]["code"] == "access_token_invalid"
    assert endpoint.bearers.lookups == 1


@pytest.mark.parametrize(
    "token",
    ["x" * 50_000, "dmcp_at_short", mint(TokenKind.REFRESH), mint(TokenKind.ACCESS) + "\x7f"],
    ids=["long", "short", "refresh token", "trailing"],
)
async def test_a_bearer_of_another_shape_is_refused_without_a_look_up(token: str) -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(PING, token)

    assert answer.status_code == 401
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert endpoint.bearers.lookups == 0


@pytest.mark.parametrize("header", ["Basic dXNlcjpwYXNz", "Bearer", "nonsense"])
async def test_another_scheme_is_no_bearer_at_all(header: str) -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(PING, None, authorization=header)

    assert answer.status_code == 401
    assert "error=" not in answer.headers["www-authenticate"]


async def test_the_scheme_is_recognised_in_any_case() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        answer = await endpoint.post(PING, None, authorization=f"bEARER  {token}")

    assert answer.status_code == 200


async def test_two_authorization_headers_are_refused() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        bearer = f"Bearer {endpoint.bearers.issue()}"
        answer = await http.post(
            "/mcp", json=PING, headers=[("authorization", bearer), ("authorization", bearer)]
        )

    assert answer.status_code == 401
    assert endpoint.bearers.lookups == 0


async def test_a_database_that_is_away_is_no_refusal_of_the_token() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        endpoint.bearers.outage = DatabaseAwayError()
        answer = await endpoint.post(PING, token)

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert "www-authenticate" not in answer.headers
    assert answer.json()["error"]["data"]["code"] == "database_unavailable"


async def test_an_unforeseen_error_is_a_json_answer_that_tells_nothing() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue()
        endpoint.bearers.outage = RuntimeError("password=hunter2")
        answer = await endpoint.post(PING, token)

    assert answer.status_code == 500
    assert answer.json()["error"]["data"]["code"] == "internal_error"
    assert "hunter2" not in answer.text


@pytest.mark.parametrize("version", ["2025-11-25", "2026-07-28"])
async def test_a_tool_beyond_the_permissions_is_a_403_with_needed_and_granted_scopes(
    version: str,
) -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue(a_call(scopes=("tutorial:search",)))
        answer = await endpoint.post(
            tool_call("get_tutorial", {"id": "7"}), token, mcp_protocol_version=version
        )

    challenge = answer.headers["www-authenticate"]
    assert answer.status_code == 403
    assert challenge.startswith('Bearer error="insufficient_scope"')
    assert 'scope="tutorial:search tutorial:read"' in challenge
    assert answer.headers["x-mcp-challenge"] == challenge
    assert answer.json()["error"]["data"]["error"] == "insufficient_scope"
    assert endpoint.site.tokens == []


async def test_a_grant_that_dies_during_the_call_becomes_a_401() -> None:
    for meta in ({}, {"progressToken": "p"}):
        async with an_endpoint() as endpoint:
            endpoint.site.failure = AccessWithdrawnError()
            answer = await endpoint.post(
                tool_call("get_tutorial", {"id": "7"}, **meta), endpoint.bearers.issue()
            )

        assert answer.status_code == 401
        assert 'error="invalid_token"' in answer.headers["www-authenticate"]
        assert answer.headers["content-type"] == "application/json"
        assert answer.json()["error"]["data"]["code"] == "grant_ended"
        assert [row.outcome for row in endpoint.usage] == ["grant_ended"]


async def test_a_grant_that_dies_after_progress_was_sent_is_a_tool_error() -> None:
    async with an_endpoint(served=True) as endpoint:
        endpoint.site.gate.clear()
        endpoint.site.failure = AccessWithdrawnError()
        headers = {
            "authorization": f"Bearer {endpoint.bearers.issue()}",
            "accept": "application/json, text/event-stream",
        }
        message = tool_call("get_tutorial", {"id": "7"}, progressToken="p")
        text = ""
        async with (
            endpoint.http() as http,
            http.stream("POST", "/mcp", json=message, headers=headers) as answer,
        ):
            async for chunk in answer.aiter_text():
                text += chunk
                endpoint.site.gate.set()

    assert answer.status_code == 200
    assert "notifications/progress" in text
    assert '"guidance":"sign_in"' in text.replace(": ", ":")


async def test_a_suspended_grant_still_passes_the_check() -> None:
    async with an_endpoint() as endpoint:
        call = a_call()
        suspended = replace(call.grant, status=type(call.grant.status).SUSPENDED)
        token = endpoint.bearers.issue(replace(call, grant=suspended))
        answer = await endpoint.post(tool_call("account_status"), token)

    content = answer.json()["result"]["structuredContent"]
    assert content["site_connection"] == "suspended"
    assert "active" in content["what_to_do"]


async def test_a_session_without_any_known_permission_is_told_what_to_do() -> None:
    async with an_endpoint() as endpoint:
        token = endpoint.bearers.issue(a_call(scopes=("retired:scope",)))
        answer = await endpoint.post(tool_call("account_status"), token)

    content = answer.json()["result"]["structuredContent"]
    assert content["tools"] == ["account_status"]
    assert "allow all permissions" in content["what_to_do"]
