"""A schedule as a process."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from functions.container import clock, healthy
from functions.container.roles import Role
from shared.observability.instrument import InvocationError
from tests.promises.tree import ROOT


class Function:
    """A handler that notes what it is asked, and ends the clock with its last tick."""

    def __init__(self, *outcomes: type[Exception] | None) -> None:
        self.loop = asyncio.get_running_loop()
        self.ends = asyncio.Event()
        self.outcomes = list(outcomes)
        self.events: list[dict[str, Any]] = []

    def __call__(self, event: dict[str, Any], _context: None) -> None:
        self.events.append(event)
        outcome = self.outcomes.pop(0)
        if not self.outcomes:
            self.loop.call_soon_threadsafe(self.ends.set)
        if outcome is not None:
            raise outcome


@pytest.fixture
def last_tick(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "last_tick"
    monkeypatch.setattr(clock, "LAST_TICK", file)
    monkeypatch.setattr(healthy, "LAST_TICK", file)
    return file


async def test_a_tick_that_fails_does_not_end_the_schedule(last_tick: Path) -> None:
    function = Function(InvocationError, None, None)

    await clock._ticks(function, function.ends, seconds=0.0)

    assert len(function.events) == 3


async def test_a_tick_is_the_event_that_the_schedule_of_the_template_sends(last_tick: Path) -> None:
    function = Function(None)

    await clock._ticks(function, function.ends, seconds=0.0)

    example = json.loads((ROOT / "events/cleanup/schedule.json").read_text())
    assert set(function.events[0]) == set(example)
    assert function.events[0]["source"] == example["source"]


async def test_a_schedule_is_healthy_once_a_tick_has_come_to_its_end(last_tick: Path) -> None:
    failing, working = Function(InvocationError), Function(None)

    await clock._ticks(failing, failing.ends, seconds=0.0)
    assert not healthy._has_ticked()
    await clock._ticks(working, working.ends, seconds=0.0)
    assert healthy._has_ticked()


def test_both_schedules_are_those_of_the_functions() -> None:
    assert set(clock.INTERVAL_SECONDS) == {Role.TOKEN_REFRESH, Role.CLEANUP}
