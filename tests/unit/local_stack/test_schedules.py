import asyncio
from typing import Any

import pytest

from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError
from scripts.local_stack.schedules import Schedule

WAIT_SECONDS_MAX = 10.0


class Scripted:
    """Fails as often as told, then works; `works` is set at the first success."""

    def __init__(self, *failures: Exception) -> None:
        self._failures = list(failures)
        self.works = asyncio.Event()
        self.events: list[dict[str, Any]] = []

    async def invoke(self, _name: str, event: dict[str, Any]) -> Any:
        self.events.append(event)
        if self._failures:
            raise self._failures.pop(0)
        self.works.set()
        return {}


@pytest.mark.parametrize("function", ["token_refresh", "cleanup"])
async def test_ticks_go_on_after_a_failure_and_after_a_busy_function(function: str) -> None:
    invoker = Scripted(FunctionError("Runtime.ExitError"), ThrottledError())
    ticking = asyncio.create_task(Schedule(function, 0).run(invoker))
    await asyncio.wait_for(invoker.works.wait(), WAIT_SECONDS_MAX)
    ticking.cancel()
    await asyncio.gather(ticking, return_exceptions=True)

    assert {event["source"] for event in invoker.events} == {"aws.events"}
    assert len({event["id"] for event in invoker.events}) == len(invoker.events)
