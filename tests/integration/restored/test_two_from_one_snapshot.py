"""Two environments that wake up from one snapshot share nothing that must be their own."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.promises.tree import ROOT

FUNCTIONS = ("mcp_endpoint", "oauth", "token_refresh", "cleanup")
NOT_SECRET = {"multiprocessing.process", "opentelemetry.context"}
"""A key between a process and children of its own, which a function has not; names of variables."""


@pytest.fixture(params=FUNCTIONS)
def told(
    request: pytest.FixtureRequest, database_url: str, kms_key_id: str
) -> list[dict[str, Any]]:
    """What was drawn before the snapshot, and what each of both environments has."""
    variables = {
        "STAGE": "local",
        "DATABASE_URL": database_url,
        "KMS_KEY_ID": kms_key_id,
        "DRUPAL_BASE_URL": "http://127.0.0.1:9",
        "DRUPAL_CLIENT_ID": "client",
        "ISSUER_URL": "http://localhost:8711",
        "MCP_URL": "http://127.0.0.1:8712/mcp",
    }
    answer = subprocess.run(
        [sys.executable, "-m", "tests.support.restored_environments", request.param],
        cwd=ROOT,
        env={**os.environ, **variables},
        check=True,
        capture_output=True,
        text=True,
    )
    lines = [line for line in answer.stdout.splitlines() if line.startswith("{")]
    found = [json.loads(line) for line in lines]
    return [one for one in found if "drawn_by" in one or "token" in one]


def test_two_restored_environments_share_no_connection_and_no_randomness(
    told: list[dict[str, Any]],
) -> None:
    before, first, second = told

    # No library has drawn randomness that it would keep.
    assert before["random_untouched"] is True
    assert set(before["drawn_by"]) <= NOT_SECRET
    # No connection is in the snapshot, nor anything that could hold one.
    assert before["sockets"] == 0
    for one in (first, second):
        assert one["nothing_was_built_before"] is True
        assert one["database_answers"] is True
    for name in ("random", "token", "correlation_id"):
        assert first[name] != second[name], name
