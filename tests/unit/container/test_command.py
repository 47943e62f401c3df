"""The command of the image."""

import subprocess
import sys

from functions.container import migrations
from functions.migrate.requests import Step
from tests.promises.tree import ROOT


def container(*arguments: str) -> subprocess.CompletedProcess[str]:
    """The command with an empty environment."""
    return subprocess.run(
        [sys.executable, "-m", "functions.container", *arguments],
        cwd=ROOT,
        env={},
        check=False,
        capture_output=True,
        text=True,
    )


def test_it_names_its_roles_before_anything_is_set() -> None:
    answer = container("--help")

    assert answer.returncode == 0
    assert "token_refresh" in answer.stdout


def test_a_door_without_settings_does_not_start_and_names_what_is_missing() -> None:
    answer = container("oauth")

    assert answer.returncode == 1
    assert "STAGE" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_migrations_run_both_steps_in_their_order() -> None:
    assert list(migrations._STEPS) == [step.value for step in Step]
