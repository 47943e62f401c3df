import sys

import pytest

from scripts.lambda_emulator.environment import runtime_command, runtime_variables
from scripts.lambda_emulator.specification import STREAM_WRAPPER, FunctionSpec


def test_a_buffered_function_runs_in_the_runtime_as_it_is() -> None:
    command = runtime_command(FunctionSpec(name="a", handler="module.handler"))

    assert command == [sys.executable, "-m", "awslambdaric", "module.handler"]


def test_a_streaming_function_starts_through_the_wrapper() -> None:
    spec = FunctionSpec(name="a", handler="module.handler", invoke_mode="RESPONSE_STREAM")

    assert runtime_command(spec)[0] == str(STREAM_WRAPPER)


@pytest.mark.parametrize(("wrapper", "first"), [("/opt/wrap", "/opt/wrap"), ("", sys.executable)])
def test_a_functions_own_wrapper_is_respected(wrapper: str, first: str) -> None:
    spec = FunctionSpec(
        name="a",
        handler="module.handler",
        invoke_mode="RESPONSE_STREAM",
        environment={"AWS_LAMBDA_EXEC_WRAPPER": wrapper},
    )

    assert runtime_command(spec)[0] == first


def test_a_function_cannot_move_its_runtime_api() -> None:
    spec = FunctionSpec(
        name="a",
        handler="module.handler",
        environment={"AWS_LAMBDA_RUNTIME_API": "elsewhere:1", "STAGE": "local"},
        snap_start=True,
    )

    variables = runtime_variables(spec, "127.0.0.1:9001")

    assert variables["AWS_LAMBDA_RUNTIME_API"] == "127.0.0.1:9001"
    assert variables["STAGE"] == "local"
    assert variables["AWS_LAMBDA_INITIALIZATION_TYPE"] == "snap-start"
