import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx

READY_SECONDS_MAX = 20.0


def announced(ready: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(ready.read_text())
    return told


@asynccontextmanager
async def running_process(
    data_dir: Path, ready: Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, dict[str, Any]]]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "scripts.fake_drupal", "--dialect", "6", "--fixture-methods"),
        *("--data-dir", str(data_dir), "--ready-file", str(ready)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS_MAX)
        told: dict[str, Any] = json.loads(line)
        assert announced(ready) == told
        yield process, told
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def client_credentials_token(http: httpx.AsyncClient, url: str) -> httpx.Response:
    return await http.post(
        f"{url}/oauth/token",
        data={
            "grant_type": "client_credentials",
            "client_id": "drupalize-mcp",
            "client_secret": "local-demo-secret",
            "scope": "tutorial:read",
        },
    )


async def test_a_killed_process_comes_back_with_its_tokens_and_a_terminated_one_ends_well(
    tmp_path: Path, http: httpx.AsyncClient
) -> None:
    data_dir, ready = tmp_path / "data", tmp_path / "ready.json"
    async with running_process(data_dir, ready) as (process, told):
        assert (await http.get(f"{told['url']}/_control/health")).json()["items"] > 40
        token = (await client_credentials_token(http, told["url"])).json()["access_token"]
        process.kill()
    async with running_process(data_dir, ready) as (process, told):
        call = await http.post(
            f"{told['url']}/mcp/tools/public.ping",
            json={"jsonrpc": "2.0", "id": 1, "method": "public.ping"},
            headers={"Authorization": f"Bearer {token}"},
        )
        process.terminate()
        code = await asyncio.wait_for(process.wait(), READY_SECONDS_MAX)

    assert call.json()["result"] == {"pong": True, "uid": 0}
    assert code == 0
    assert {user["name"] for user in told["users"]} >= {"maya", "felix"}
