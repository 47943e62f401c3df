"""The runtime client looks before each invocation whether its environment has to end."""

import sys
from types import ModuleType

import pytest

from shared.observability import memory_pressure, retirement
from shared.observability.memory_pressure import _Environment

MODULE = "awslambdaric.lambda_runtime_client"


class Client:
    """A runtime client."""

    def __init__(self, name: str) -> None:
        self.name = name

    def wait_next_invocation(self) -> str:
        """One invocation."""
        return f"for {self.name}"


@pytest.fixture(autouse=True)
def module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = ModuleType(MODULE)
    fresh = type("LambdaRuntimeClient", (Client,), dict(vars(Client)))
    module.LambdaRuntimeClient = fresh  # type: ignore[attr-defined] # a module of our making
    monkeypatch.setitem(sys.modules, MODULE, module)
    return module


def test_work_goes_on_as_long_as_there_is_memory(module: ModuleType) -> None:
    retirement.watch_for_the_end()
    retirement.watch_for_the_end()

    assert module.LambdaRuntimeClient("a").wait_next_invocation() == "for a"
    assert module.LambdaRuntimeClient("b").wait_next_invocation() == "for b"


def test_an_environment_that_retires_ends_in_place_of_asking_for_more(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    retirement.watch_for_the_end()
    monkeypatch.setattr(_Environment, "retires", True)

    assert memory_pressure.retires()
    with pytest.raises(SystemExit) as ended:
        module.LambdaRuntimeClient("a").wait_next_invocation()
    assert ended.value.code == 0


def test_a_runtime_of_another_shape_is_left_alone_and_told(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.delattr(module.LambdaRuntimeClient, "wait_next_invocation")
    monkeypatch.delattr(Client, "wait_next_invocation")
    retirement.watch_for_the_end()
    monkeypatch.delitem(sys.modules, MODULE)
    retirement.watch_for_the_end()

    told = [one.message for one in caplog.records]
    assert told == ["environments cannot retire: the runtime client is another than expected"]
