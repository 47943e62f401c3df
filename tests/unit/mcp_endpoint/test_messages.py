"""Bodies that are no message: each gets a JSON-RPC error that says what to send instead."""

import json
from typing import Any

import pytest

from tests.unit.mcp_endpoint.pieces import an_endpoint, tool_call

PING = b'{"jsonrpc":"2.0","id":1,"method":"ping"}'
DEEP = b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 9_000 + b"1" + b"}" * 9_001


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, -32700),
        (b"{", 400, -32700),
        (b"not json", 400, -32700),
        (PING[:-1], 400, -32700),
        (b"\xff\xfe" + PING, 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"p\xc3\x28ng"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping\x00"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping\\ud800"}', 400, -32700),
        (b'{"jsonrpc":"2.0","id":NaN,"method":"ping"}', 400, -32700),
        (DEEP, 400, -32700),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping\\u0000"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"p","params":{"a":["\\u0000"]}}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"p","params":{"\\u0000":1}}', 400, -32600),
        (b"[]", 400, -32600),
        (b"[" + PING + b"]", 400, -32600),
        (b"null", 400, -32600),
        (b"1", 400, -32600),
        (b'"text"', 400, -32600),
        (b"{}", 400, -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[1]}', 400, -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}', 400, -32600),
        (b" " * 100_001, 413, -32600),
    ],
)
async def test_a_body_that_is_no_message_gets_a_clear_error(
    body: bytes, status: int, code: int
) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {endpoint.bearers.issue()}",
        }
        answer = await http.post("/mcp", content=body, headers=headers)

    error = answer.json()["error"]
    assert (answer.status_code, error["code"]) == (status, code)
    assert error["data"]["what_to_do"].startswith(("Send", "Batches"))
    named = {-32700: "malformed_message", -32600: "invalid_request"}[code]
    assert error["data"]["code"] == ("body_too_large" if status == 413 else named)
    assert endpoint.bearers.lookups == 0


async def test_a_body_without_a_declared_length_is_bounded_too() -> None:
    async def chunks() -> Any:
        for _ in range(200):
            yield b" " * 1_000

    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = {"content-type": "application/json"}
        answer = await http.post("/mcp", content=chunks(), headers=headers)

    assert answer.status_code == 413


@pytest.mark.parametrize("given", [None, "text/plain", "application/x-www-form-urlencoded", ""])
async def test_another_content_type_is_refused(given: str | None) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = {} if given is None else {"content-type": given}
        answer = await http.post("/mcp", content=PING, headers=headers)

    assert answer.status_code == 415
    assert "application/json" in answer.json()["error"]["data"]["what_to_do"]


async def test_a_content_type_with_parameters_is_taken() -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        headers = {
            "content-type": "Application/JSON; charset=utf-8",
            "authorization": f"Bearer {endpoint.bearers.issue()}",
        }
        answer = await http.post("/mcp", content=PING, headers=headers)

    assert answer.status_code == 200


@pytest.mark.parametrize("accept", [None, "*/*", "application/json", "text/event-stream"])
async def test_a_client_that_accepts_less_is_answered_in_json(accept: str | None) -> None:
    async with an_endpoint() as endpoint, endpoint.http() as http:
        http.headers.pop("accept")
        headers = {
            "content-type": "application/json",
            "authorization": f"Bearer {endpoint.bearers.issue()}",
            **({"accept": accept} if accept else {}),
        }
        answer = await http.post("/mcp", content=PING, headers=headers)

    assert (answer.status_code, answer.json()["result"]) == (200, {})
    assert answer.headers["content-type"] == "application/json"


async def test_an_unknown_session_id_and_any_origin_are_ignored() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(
            json.loads(PING),
            endpoint.bearers.issue(),
            mcp_session_id="gone-with-the-last-deployment",
            origin="https://inspector.example.org",
        )

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"
    assert "mcp-session-id" not in answer.headers


async def test_another_host_name_is_refused() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(
            json.loads(PING), endpoint.bearers.issue(), host="evil.example.org"
        )

    assert answer.status_code == 421


async def test_the_platform_s_own_host_name_is_taken_behind_an_edge() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(
            json.loads(PING), endpoint.bearers.issue(), host="abc.lambda-url.eu-central-1.on.aws"
        )

    assert answer.status_code == 200


async def test_a_notification_is_accepted_without_an_answer() -> None:
    message = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(message, endpoint.bearers.issue())

    assert (answer.status_code, answer.content) == (202, b"")


async def test_malformed_call_parameters_are_invalid_params() -> None:
    broken = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": 7}}
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(broken, endpoint.bearers.issue())

    assert answer.json()["error"]["code"] == -32602


async def test_a_plain_call_of_the_2025_revisions_is_answered_in_json() -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(tool_call("account_status"), endpoint.bearers.issue())

    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["result"]["isError"] is False


@pytest.mark.parametrize("token", [True, 1.5, None, {"a": 1}])
async def test_a_progress_token_of_a_wrong_type_asks_for_nothing(token: Any) -> None:
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(
            tool_call("account_status", progressToken=token), endpoint.bearers.issue()
        )

    assert answer.headers["content-type"] == "application/json"


async def test_listening_for_changes_is_a_method_that_is_not_there() -> None:
    listen = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "subscriptions/listen",
        "params": {
            "notifications": {},
            "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2026-07-28",
                "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
                "io.modelcontextprotocol/clientCapabilities": {},
            },
        },
    }
    async with an_endpoint() as endpoint:
        answer = await endpoint.post(
            listen,
            endpoint.bearers.issue(),
            **{"mcp-protocol-version": "2026-07-28", "mcp-method": "subscriptions/listen"},
        )

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == -32601
