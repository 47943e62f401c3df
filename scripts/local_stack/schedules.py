"""The schedules: EventBridge's ticks for the functions that nobody calls.

A failed tick must never end the schedule; the next one comes all the same.
"""

import asyncio
import datetime as dt
import json
import logging
import uuid
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from scripts.lambda_emulator.environment_pool import ThrottledError
from scripts.lambda_emulator.invocation import FunctionError

_EVENTS: Final = Path(__file__).resolve().parents[2] / "events"

logger = logging.getLogger("local_stack.schedules")


class Invoker(Protocol):
    """Whatever runs functions by name."""

    async def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """Invoke a function and return its answer."""


@dataclass(frozen=True)
class Schedule:
    """One rule: a function and how often it is invoked; the first time at once."""

    function: str
    interval_seconds: float

    def tick(self) -> dict[str, Any]:
        """The event, as EventBridge would send it now."""
        file = _EVENTS / self.function / "schedule.json"
        event: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        now = dt.datetime.now(dt.UTC)
        return {**event, "id": str(uuid.uuid4()), "time": now.strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def run(self, invoker: Invoker) -> None:
        """Invoke for ever."""
        while True:
            try:
                answer = await invoker.invoke(self.function, self.tick())
                logger.info("%s answered %s", self.function, json.dumps(answer))
            except ThrottledError:
                logger.warning("%s is still busy: this tick is dropped", self.function)
            except FunctionError as error:
                logger.error("%s failed: %s %s", self.function, error, error.details)  # noqa: TRY400 - the trace is of this loop, the function's own is in its log
            await asyncio.sleep(self.interval_seconds)
