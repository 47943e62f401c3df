"""CloudFormation accepts the template: as it is written, and as it is after the SAM transform.

The linter knows schemas, references, and cycles between resources (E3004).
"""

import json
import re
import subprocess
import sysconfig
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.artifacts.build import LOGICAL_IDS
from scripts.deployment import sam_cli
from tests.promises.deployed import template
from tests.promises.tree import ROOT

pytestmark = pytest.mark.deployment

REGION = "us-east-1"


def _lint(file: Path) -> str:
    """What the linter has to say; nothing is good."""
    program = Path(sysconfig.get_path("scripts")) / "cfn-lint"
    answer = subprocess.run(
        [program, "--regions", REGION, "--", file], check=False, capture_output=True, text=True
    )
    return answer.stdout + answer.stderr


def test_the_template_as_written_is_clean() -> None:
    assert _lint(ROOT / "template.yaml") == ""


def test_the_template_after_the_transform_is_clean(tmp_path: Path) -> None:
    file = tmp_path / "transformed.json"
    file.write_text(json.dumps(template()))

    assert _lint(file) == ""


def test_a_dependency_cycle_would_be_found(tmp_path: Path) -> None:
    changed: dict[str, Any] = json.loads(json.dumps(template()))
    function = changed["Resources"]["OAuthFunction"]["Properties"]
    function["Environment"]["Variables"]["ISSUER_URL"] = {
        "Fn::GetAtt": ["OAuthFunctionUrl", "FunctionUrl"]
    }
    file = tmp_path / "cycle.json"
    file.write_text(json.dumps(changed))

    assert "E3004" in _lint(file)


def test_every_function_is_built_by_a_target_of_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = dict(re.findall(r"^build-(\w+): ; @scripts/build (\w+) ", makefile, re.MULTILINE))

    assert targets == {logical_id: name for name, logical_id in LOGICAL_IDS.items()}


def test_the_version_of_the_sam_cli_is_one_everywhere() -> None:
    makefile = (ROOT / "Makefile").read_text()
    pinned = re.findall(r"^SAM_CLI_VERSION := (\S+)$", makefile, re.MULTILINE)

    assert [f"aws-sam-cli=={version}" for version in pinned] == [sam_cli.SAM_CLI]


class _Loader(yaml.SafeLoader):
    """Reads CloudFormation's short forms as plain values."""


def _plain(loader: _Loader, _suffix: str, node: yaml.Node) -> Any:
    if isinstance(node, yaml.ScalarNode):
        return loader.construct_scalar(node)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    assert isinstance(node, yaml.MappingNode)
    return loader.construct_mapping(node, deep=True)


_Loader.add_multi_constructor("!", _plain)


def test_every_resource_says_why_it_exists_or_stands_with_one_that_does() -> None:
    lines = (ROOT / "template.yaml").read_text().splitlines()
    written = yaml.load("\n".join(lines), Loader=_Loader)  # noqa: S506 - a safe loader's child
    unexplained = []
    previous_explained = False
    for name in written["Resources"]:
        position = lines.index(f"  {name}:")
        above = lines[position - 1]
        explained = above.startswith("  #") and "----" not in above
        # Stands directly under its neighbour: the comment is for both.
        belongs = bool(above.strip()) and previous_explained
        if not (explained or belongs):
            unexplained.append(name)
        previous_explained = explained or belongs

    assert unexplained == []
