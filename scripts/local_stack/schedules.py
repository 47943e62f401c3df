"""The schedules: EventBridge's ticks for the functions that nobody calls.

A failed tick must never end the schedule; the next one comes all the same.
"""

import asyncio
import datetime as dt
import json
import logging
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol

from scripts.dev_view.ticks import TickBook
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
    book: TickBook = field(default_factory=TickBook)
    """Where ticks are noted."""

    def tick(self) -> dict[str, Any]:
        """The event, as EventBridge would send it now."""
        file = _EVENTS / self.function / "schedule.json"
        event: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
        now = dt.datetime.now(dt.UTC)
        return {**event, "id": str(uuid.uuid4()), "time": now.strftime("%Y-%m-%dT%H:%M:%SZ")}

    async def run(self, invoker: Invoker) -> None:
        """Invoke for ever."""
        while True:
            await self._run_once(invoker)
            await asyncio.sleep(self.interval_seconds)

    async def _run_once(self, invoker: Invoker) -> None:
        try:
            answer = json.dumps(await invoker.invoke(self.function, self.tick()))
        except ThrottledError:
            logger.warning("%s is still busy: this tick is dropped", self.function)
            self._note("still busy: dropped", failed=True)
        except FunctionError as error:
            logger.error("%s failed: %s %s", self.function, error, error.details)  # noqa: TRY400 - the trace is of this loop, the function's own is in its log
            self._note(str(error), failed=True)
        else:
            logger.info("%s answered %s", self.function, answer)
            self._note(answer)

    def _note(self, outcome: str, *, failed: bool = False) -> None:
        self.book.note(self.function, self.interval_seconds, outcome, failed=failed)
