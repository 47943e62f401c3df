"""What `scripts/conformance` does where there is no Node, and which Node it takes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from scripts.conformance_suite import node
from scripts.conformance_suite.__main__ import NOT_RUN

ROOT = Path(__file__).resolve().parents[3]


def fake_node(folder: Path, version: str) -> Path:
    command = folder / "node"
    command.write_text(f"#!/bin/sh\necho {version}\n")
    command.chmod(0o755)
    return command


@pytest.mark.parametrize(("options", "status"), [([], NOT_RUN), (["--if-possible"], 0)])
def test_it_says_loudly_that_nothing_was_run(
    tmp_path: Path, options: list[str], status: int
) -> None:
    too_old = fake_node(tmp_path, "v20.11.0")
    offline = {"UV_OFFLINE": "1", "UV_CACHE_DIR": str(tmp_path / "cache"), "UV_FIND_LINKS": ""}
    environment = {**os.environ, **offline, "NODE": str(too_old), "PYTHONPATH": str(ROOT)}

    ended = subprocess.run(
        [sys.executable, "-m", "scripts.conformance_suite", *options],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )

    assert ended.returncode == status, ended.stderr
    assert "NOT RUN: MCP conformance: uv failed:" in ended.stdout


async def test_a_node_that_is_new_enough_is_taken_as_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    new = fake_node(tmp_path, "v24.1.0")
    monkeypatch.setenv("NODE", str(new))
    monkeypatch.setattr(node, "CHECKERS", {})
    (tmp_path / "installed.json").write_text('{\n  "private": true,\n  "dependencies": {}\n}')

    checkers = await node.prepared_checkers(tmp_path)

    assert checkers.node == new


def test_the_document_names_the_versions_that_run() -> None:
    document = (ROOT / "docs" / "conformance.md").read_text()

    for name, version in node.CHECKERS.items():
        assert f"`{name}`" in document
        assert f"| {version} |" in document
