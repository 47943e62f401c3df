"""Events on built artifacts, on our emulator and on AWS's own; all of them are replayed by CI."""

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.artifacts.build import LOGICAL_IDS, Artifacts
from scripts.deployment.sam_local import postgres_socket, variables, write_events
from scripts.deployment.socket_relay import relayed
from scripts.local_stack.options import StackOptions
from scripts.local_stack.postgres import SUPERUSER
from scripts.local_stack.stack import running_stack
from scripts.replay.__main__ import AWS, OURS, replay
from scripts.replay.aws_emulator import NoAwsEmulatorError, find_binary
from scripts.replay.cases import load
from shared.settings import FUNCTION_SETTINGS
from shared.state.roles import AppRole

pytestmark = [pytest.mark.deployment, pytest.mark.timeout(600)]
NAMES = ("mcp_endpoint/search_tutorials", "oauth/token_bad_code", "cleanup/schedule")


@pytest.fixture(scope="module")
def binary() -> Path:
    try:
        return find_binary()
    except NoAwsEmulatorError as error:
        pytest.skip(f"NOT RUN: {error}")


async def test_both_emulators_answer_as_expected_and_a_wrong_answer_is_told(
    artifacts: Artifacts, binary: Path
) -> None:
    right = [case for name in NAMES for case in load(name)]
    wrong = replace(load("oauth/health")[0], expected={"shows": "x", "status": 500})

    report = await replay([*right, wrong], artifacts, binary=binary)

    assert len(report.found) == 2 * len([*right, wrong])
    for emulator in (OURS, AWS):
        assert [report.verdict(emulator, case) for case in right] == ["ok"] * len(right)
        assert report.verdict(emulator, wrong) == "FAILED"
    assert report.failed == 2


async def test_what_sam_local_is_given_leads_to_the_stack(tmp_path: Path) -> None:
    async with (
        running_stack(StackOptions(tmp_path / "stack", fixed_ports=False)) as stack,
        relayed(postgres_socket(stack)) as port,
    ):
        written = await write_events(stack, tmp_path / "events")
        given = variables(stack, host="127.0.0.1", postgres_port=port)
        for name, logical_id in LOGICAL_IDS.items():
            settings = FUNCTION_SETTINGS[name].from_environment(given[logical_id])
            assert settings.stage == "local"
            for url, user in _connects(name, given[logical_id]):
                conninfo = make_conninfo(url, connect_timeout=5)
                assert await asyncio.to_thread(_user, conninfo) == user, name

    files = list((tmp_path / "events").glob("*/*.json"))
    assert written == len(files) == len(load())
    assert not any("${" in file.read_text() for file in files)


def _connects(function: str, given: dict[str, str]) -> Iterator[tuple[str, str]]:
    """The connection strings that a function is given, if any, and as whom each has to connect."""
    if "DATABASE_URL" in given:
        yield given["DATABASE_URL"], AppRole[function.upper()].value
    for key, url in json.loads(given.get("DATABASE_URLS", "{}")).items():
        yield url, SUPERUSER if key == "migrate" else AppRole[key.upper()].value


def _user(conninfo: str) -> str:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute("SELECT current_user").fetchone()
    assert row is not None
    return str(row[0])
