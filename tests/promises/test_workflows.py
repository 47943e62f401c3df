"""Workflows use what was looked at, may do little, and run what developers run."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.deployment import sam_cli
from tests.promises.tree import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
COMMAND = re.compile(r"(?:^|\s|\()((?:scripts|\.ci)/\w+)")
each_workflow = pytest.mark.parametrize("file", WORKFLOWS, ids=lambda file: file.name)


def read(file: Path) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load(file.read_text())
    return content


@each_workflow
def test_every_action_is_pinned_by_digest_and_names_its_version(file: Path) -> None:
    used = re.findall(r"uses: (.+)", file.read_text())

    assert used
    for line in used:
        assert PINNED.fullmatch(line), line


@each_workflow
def test_an_action_has_one_digest_in_all_workflows(file: Path) -> None:
    everywhere = {
        line for other in WORKFLOWS for line in re.findall(r"uses: (.+)", other.read_text())
    }

    names = [line.partition("@")[0] for line in everywhere]
    assert len(names) == len(set(names))


@each_workflow
def test_a_workflow_may_nothing_but_what_its_jobs_are_given(file: Path) -> None:
    workflow = read(file)

    assert workflow["permissions"] == {}
    for job in workflow["jobs"].values():
        assert job["permissions"]["contents"] == "read"
        assert set(job["permissions"]) <= {"contents", "id-token", "issues"}
        assert job["timeout-minutes"] <= 60


@each_workflow
def test_a_workflow_runs_commands_that_exist(file: Path) -> None:
    for command in COMMAND.findall(file.read_text()):
        assert (ROOT / command).is_file(), command


def test_only_deployments_may_become_somebody_at_aws() -> None:
    may = {
        (file.name, name)
        for file in WORKFLOWS
        for name, job in read(file)["jobs"].items()
        if "id-token" in job["permissions"]
    }

    assert may == {("deploy.yml", "staging"), ("deploy.yml", "production")}


def test_production_gets_the_artifact_that_staging_got_after_an_approval() -> None:
    jobs = read(ROOT / ".github" / "workflows" / "deploy.yml")["jobs"]

    assert jobs["production"]["needs"] == "staging"
    assert jobs["production"]["steps"] == jobs["staging"]["steps"]
    assert (jobs["staging"]["environment"], jobs["production"]["environment"]) == (
        "staging",
        "production",
    )
    builds = [name for name, job in jobs.items() if "make build" in str(job["steps"])]
    assert builds == ["build"]


def test_the_sam_cli_is_the_one_that_is_tested_with() -> None:
    workflow = read(ROOT / ".github" / "workflows" / "deploy.yml")

    assert workflow["env"]["SAM_CLI"] == sam_cli.SAM_CLI
