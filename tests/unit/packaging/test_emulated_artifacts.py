from pathlib import Path

import pytest

from scripts.artifacts.build import Artifacts, BuildError
from scripts.lambda_emulator.environment import runtime_command, runtime_variables
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.functions import from_artifact


@pytest.fixture(params=["mcp_endpoint", "McpEndpointFunction"])
def artifacts(tmp_path: Path, request: pytest.FixtureRequest) -> Artifacts:
    code = tmp_path / request.param / "functions" / "mcp_endpoint"
    code.mkdir(parents=True)
    (code / "handler.py").touch()
    return Artifacts(tmp_path)


def test_an_artifact_is_found_by_our_name_and_by_that_of_the_template(artifacts: Artifacts) -> None:
    assert artifacts.code_of("mcp_endpoint").parent == artifacts.folder


def test_a_missing_artifact_is_named(artifacts: Artifacts) -> None:
    with pytest.raises(BuildError, match="oauth"):
        artifacts.code_of("oauth")


def test_an_artifact_runs_without_the_checkout(artifacts: Artifacts) -> None:
    spec = from_artifact(
        FunctionSpec(name="mcp_endpoint", handler="h.h", invoke_mode="RESPONSE_STREAM"), artifacts
    )
    code = artifacts.code_of("mcp_endpoint")
    variables = runtime_variables(spec, "127.0.0.1:1")

    assert runtime_command(spec)[:2] == [
        str(code / "shared/lambda_stream/exec_wrapper"),
        str(artifacts.python),
    ]
    assert variables["LAMBDA_TASK_ROOT"] == str(code)
    assert variables["PYTHONPATH"] == f"{code}:{artifacts.runtime_client}"
    # /var/task cannot be written to.
    assert variables["PYTHONDONTWRITEBYTECODE"] == "1"
