"""The handler as Lambda calls it: Function URL events of ``events/`` in, answers out.

In a process of its own, because observability and the event loop belong to the process.
"""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scripts.fake_drupal.running import running_fake_drupal
from shared.domain.tokens import PlainToken, TokenKind, mint
from shared.state.database import Database
from tests.integration.mcp_endpoint.pieces import Stack, environment_of

ROOT = Path(__file__).parents[3]
MCP_URL = "http://127.0.0.1:8700/mcp"
RUN_SECONDS_MAX = 60

PROGRAM = """
import json, sys
from functions.mcp_endpoint.handler import handler, _parts

class Context:
    aws_request_id = "11111111-1111-1111-1111-111111111111"
    function_name = "mcp_endpoint"
    def get_remaining_time_in_millis(self):
        return 20_000

for line in sys.stdin:
    print("ANSWER " + json.dumps(handler(json.loads(line), Context())), flush=True)
    _parts.forget()
"""


def _event(name: str, token: PlainToken | None = None) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((ROOT / f"events/mcp_endpoint/{name}.json").read_text())
    if token is not None:
        event["headers"]["authorization"] = f"Bearer {token}"
    return event


def _run(environment: dict[str, str], events: list[dict[str, Any]]) -> tuple[list[Any], str]:
    """The handler's answers, each after a restore, and everything it logged."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input="".join(json.dumps(event) + "\n" for event in events),
        env={**os.environ, **environment, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=RUN_SECONDS_MAX,
        check=True,
    )
    lines = done.stdout.splitlines()
    answers = [json.loads(line[7:]) for line in lines if line.startswith("ANSWER ")]
    return answers, done.stdout + done.stderr


@pytest.fixture
def nothing_around() -> dict[str, str]:
    """Settings whose database, keys and site are nowhere."""
    return {
        "STAGE": "local",
        "ISSUER_URL": "http://localhost:8701",
        "MCP_URL": MCP_URL,
        "DATABASE_URL": "host=127.0.0.1 port=1 dbname=none connect_timeout=1",
        "KMS_KEY_ID": "alias/none",
        "DRUPAL_BASE_URL": "http://127.0.0.1:1",
        "DRUPAL_CLIENT_ID": "none",
    }


def test_what_needs_nobody_is_answered_while_everything_is_away(
    nothing_around: dict[str, str],
) -> None:
    names = [
        "health",
        "health_ready",
        "protected_resource",
        "get_not_allowed",
        "preflight",
        "without_token",
        "batch",
        "tools_list",
    ]

    token = mint(TokenKind.ACCESS)
    answers, _ = _run(nothing_around, [_event(name, _token_for(name, token)) for name in names])

    statuses = dict(zip(names, [answer["statusCode"] for answer in answers], strict=True))
    assert statuses == {
        "health": 200,
        "health_ready": 503,
        "protected_resource": 200,
        "get_not_allowed": 405,
        "preflight": 200,
        "without_token": 401,
        "batch": 400,
        "tools_list": 503,
    }
    assert all(answer["headers"]["x-correlation-id"] != "none" for answer in answers)


def _token_for(name: str, token: PlainToken) -> PlainToken | None:
    return token if name == "tools_list" else None


def test_settings_that_cannot_be_read_are_a_503_in_json(nothing_around: dict[str, str]) -> None:
    away = {"AWS_ENDPOINT_URL": "http://127.0.0.1:1", "AWS_DEFAULT_REGION": "eu-central-1"}
    stored = {**nothing_around, **away, "MCP_URL": "ssm:/nowhere/mcp-url"}

    answers, _ = _run(stored, [_event("health")])

    assert answers[0]["statusCode"] == 503
    assert json.loads(answers[0]["body"])["error"] == "temporarily_unavailable"


async def test_a_signed_in_person_is_served_again_after_a_restore(
    database_url: str, kms_key_id: str
) -> None:
    async with running_fake_drupal(6) as site:
        environment = environment_of(
            site, url=MCP_URL, database_url=database_url, kms_key_id=kms_key_id
        )
        database = Database(database_url)
        stack = Stack(url=MCP_URL, site=site, database=database, kms_key_id=kms_key_id)
        maya = await stack.sign_in("maya")
        names = ["search_tutorials", "account_status", "search_tutorials"]
        answers, output = await asyncio.to_thread(
            _run, environment, [_event(name, maya.token) for name in names]
        )
        usage = await stack.usage()
        await database.close()

    assert [answer["statusCode"] for answer in answers] == [200, 200, 200]
    found = json.loads(answers[0]["body"])["result"]
    assert found["isError"] is False
    assert [tool for tool, *_ in usage] == names
    assert maya.token not in output
    assert '"ToolCalls"' in output
