"""What a machine cannot do is said loudly and fails nothing."""

import sys

import pytest

from scripts.artifacts import build, smoke
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.deployment import sam_cli
from scripts.replay import __main__ as replay
from scripts.replay import aws_emulator


def _no_python() -> None:
    raise NoPythonError("no Python 3.13 on this machine")


def test_without_the_python_of_production_the_artifacts_are_not_tried(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(build, "find_python", _no_python)
    monkeypatch.setattr(sys, "argv", ["smoke_artifacts"])

    assert smoke.main() == 0
    assert replay.main([]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["NOT RUN", "NOT RUN"]


def test_without_a_registry_the_sam_cli_cannot_be_had_and_says_why(
    monkeypatch: pytest.MonkeyPatch, tmp_path: object
) -> None:
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path))

    with pytest.raises(sam_cli.NoSamCliError, match="could not be installed"):
        sam_cli.require()
    with pytest.raises(aws_emulator.NoAwsEmulatorError, match="could not be installed"):
        aws_emulator.find_binary()


def test_no_credentials_of_this_machine_reach_the_sam_cli(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")

    given = sam_cli.environment()

    assert "AWS_SECRET_ACCESS_KEY" not in given
    assert given["SAM_CLI_TELEMETRY"] == "0"
