"""The everything server behind a streaming Function URL, called by the SDK's own client."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx2
import pytest
from mcp import Client
from mcp.client import ClientRequestContext
from mcp.client.streamable_http import streamable_http_client
from mcp_types import ElicitRequestParams, ElicitResult

from scripts.conformance_suite.servers import EVERYTHING_HANDLER
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec
from tests.support.everything_app_content import BINARY_URI, TEXT_URI
from tests.support.everything_app_tools import TOOLS

MODES = ("legacy", "2026-07-28")
MODERN = "2026-07-28"


async def started(emulator: Emulator, name: str = "everything") -> str:
    spec = FunctionSpec(name=name, handler=EVERYTHING_HANDLER, invoke_mode="RESPONSE_STREAM")
    return await emulator.start(spec) + "/mcp"


@asynccontextmanager
async def connected(url: str, mode: str) -> AsyncIterator[Client]:
    async def answer(context: ClientRequestContext, params: ElicitRequestParams) -> ElicitResult:
        return ElicitResult(action="accept", content={"name": "Maya", "color": "blue"})

    async with (
        httpx2.AsyncClient(timeout=30) as http,
        Client(
            streamable_http_client(url, http_client=http), mode=mode, elicitation_callback=answer
        ) as client,
    ):
        yield client


@pytest.fixture
async def emulator(tmp_path: Path) -> AsyncIterator[Emulator]:
    async with Emulator(log_folder=tmp_path / "logs") as running:
        yield running


@pytest.mark.parametrize("mode", MODES)
async def test_lists_and_contents_pass_through_the_engine(emulator: Emulator, mode: str) -> None:
    async with connected(await started(emulator), mode) as client:
        tools = await client.list_tools()
        text = await client.read_resource(TEXT_URI)
        binary = await client.read_resource(BINARY_URI)
        prompt = await client.get_prompt(
            "test_prompt_with_arguments", {"arg1": "hello", "arg2": "world"}
        )

    assert [tool.name for tool in tools.tools] == list(TOOLS)
    assert text.contents[0].uri == TEXT_URI
    assert binary.contents[0].mime_type == "image/png"
    assert "arg2='world'" in prompt.model_dump_json()


@pytest.mark.parametrize("mode", MODES)
async def test_progress_is_streamed_in_order(emulator: Emulator, mode: str) -> None:
    reported: list[tuple[float, float | None]] = []

    async def on_progress(progress: float, total: float | None, message: str | None) -> None:
        reported.append((progress, total))

    async with connected(await started(emulator), mode) as client:
        await client.call_tool("test_tool_with_progress", {}, progress_callback=on_progress)

    assert reported == [(0, 100), (50, 100), (100, 100)]


async def test_rounds_of_input_end_in_a_result(emulator: Emulator) -> None:
    async with connected(await started(emulator), MODERN) as client:
        greeted = await client.call_tool("test_input_required_result_elicitation", {})
        finished = await client.call_tool("test_input_required_result_multi_round", {})

    assert "Hello, Maya!" in greeted.model_dump_json()
    assert "All steps are done." in finished.model_dump_json()


async def test_a_state_sealed_in_one_environment_opens_in_another(emulator: Emulator) -> None:
    urls = [await started(emulator, name) for name in ("one", "two")]
    async with httpx2.AsyncClient(timeout=30) as http:
        first = (await call(http, urls[0]))["result"]
        retry = {
            "inputResponses": {"confirm": {"action": "accept", "content": {"ok": True}}},
            "requestState": first["requestState"],
        }
        second = (await call(http, urls[1], **retry))["result"]
        spoilt = {**retry, "requestState": first["requestState"] + "x"}
        refused = await call(http, urls[1], **spoilt)

    assert first["resultType"] == "input_required"
    assert second["content"][0]["text"] == "state-ok"
    assert refused["error"]["code"] == -32602


async def call(http: httpx2.AsyncClient, url: str, **more: object) -> dict[str, Any]:
    name = "test_input_required_result_request_state"
    meta = {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}},
    }
    params = {"name": name, "arguments": {}, "_meta": meta, **more}
    answer = await http.post(
        url,
        json={"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params},
        headers={
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": "tools/call",
            "mcp-name": name,
        },
    )
    document: dict[str, Any] = answer.json()
    return document


async def test_the_endless_stream_of_the_2025_revisions_is_refused(emulator: Emulator) -> None:
    url = await started(emulator)
    async with httpx2.AsyncClient(timeout=30) as http:
        answer = await http.get(url, headers={"accept": "text/event-stream"})

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
