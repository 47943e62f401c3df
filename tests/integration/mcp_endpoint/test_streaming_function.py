"""The function as it is deployed: its own process behind a streaming Function URL."""

import asyncio
from pathlib import Path

import httpx2
import pytest

from tests.integration.mcp_endpoint.pieces import a_lambda_stack
from tests.unit.mcp_endpoint.pieces import MODES, tool_call


@pytest.mark.parametrize("mode", MODES)
async def test_progress_leaves_the_function_while_the_site_is_awaited(
    database_url: str, kms_key_id: str, tmp_path: Path, mode: str
) -> None:
    async with a_lambda_stack(database_url, kms_key_id, tmp_path) as stack:
        maya = await stack.sign_in("maya")
        reported = asyncio.Event()

        async def on_progress(progress: float, total: float | None, message: str | None) -> None:
            reported.set()

        async with stack.client(maya, mode=mode) as client:
            await client.list_tools()
            gate = stack.site.control.hold(route="jsonrpc")
            calling = asyncio.create_task(
                client.call_tool(
                    "search_tutorials", {"query": "module"}, progress_callback=on_progress
                )
            )
            await asyncio.wait_for(reported.wait(), timeout=15)
            waiting = not calling.done()
            gate.release()
            result = await calling
            again = await client.call_tool("account_status")
        usage = await stack.usage()

    assert waiting
    assert not result.is_error
    assert again.structured_content["account_id"] == "2"
    assert [row[0] for row in usage] == ["search_tutorials", "account_status"]


async def test_the_challenge_survives_a_url_that_renames_the_header(
    database_url: str, kms_key_id: str, tmp_path: Path
) -> None:
    async with (
        a_lambda_stack(database_url, kms_key_id, tmp_path) as stack,
        httpx2.AsyncClient(timeout=20) as http,
    ):
        refused = await http.post(stack.url, json=tool_call("account_status"))
        named = refused.json()["error"]["data"]["resource_metadata"]
        document = await http.get(named)

    assert refused.status_code == 401
    assert "www-authenticate" not in refused.headers
    assert refused.headers["x-mcp-challenge"].startswith("Bearer resource_metadata=")
    assert document.json()["resource"] == stack.url


async def test_a_notification_is_answered_at_once(
    database_url: str, kms_key_id: str, tmp_path: Path
) -> None:
    async with a_lambda_stack(database_url, kms_key_id, tmp_path) as stack:
        maya = await stack.sign_in("maya")
        answer = await stack.post(
            {"jsonrpc": "2.0", "method": "notifications/initialized"}, maya.token
        )

    assert answer.status_code == 202
