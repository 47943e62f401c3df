"""Everything that the functions of a stack say: log lines, metrics in them, traces.

Times of samples go through the collector's clock, so that a fault of an hour can be watched in a
minute. Nothing here may hold a function up.
"""

import asyncio
import json
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from scripts.alarms.alarm import MetricKey
from scripts.alarms.board import AlarmBoard
from scripts.alarms.template_alarms import STAGE, template_alarms
from scripts.dev_view.log_tail import LogLine, LogTail
from scripts.dev_view.metric_store import MetricStore
from scripts.dev_view.request_log import RequestLog
from scripts.dev_view.trace_daemon import TraceDaemon

LOOK_SECONDS: Final = 0.2
LASTING: Final = frozenset({"CircuitOpenTime"})
"""For how long something has been so: it passes as fast as the collector's clock."""
EXPOSURES: Final = MetricKey.of(f"DrupalizeMcp/{STAGE}", "TokenExposures", {})
"""What the template's filters count."""


@dataclass(frozen=True, slots=True)
class FasterClock:
    """Time that passes ``factor`` times as fast, from the epoch second ``since``."""

    factor: float = 1.0
    since: float = 0.0

    def at(self, epoch_seconds: float) -> float:
        """The moment on this clock."""
        return self.since + (epoch_seconds - self.since) * self.factor

    def now(self) -> float:
        """This moment on this clock, in epoch seconds."""
        return self.at(time.time())


@dataclass
class Collector:
    """One stack's; ``run`` until it is cancelled."""

    tail: LogTail
    clock: FasterClock = FasterClock()
    metrics: MetricStore = field(default_factory=MetricStore)
    requests: RequestLog = field(default_factory=RequestLog)
    lines_not_understood: int = 0

    def __post_init__(self) -> None:
        self._token_shapes: re.Pattern[str] = template_alarms().token_shapes
        self.alarms = self._new_board()
        self.traces = TraceDaemon(self.requests.take_span)

    def begin_anew(self, clock: FasterClock) -> None:
        """Forget metrics and alarms, and count time on another clock from now on."""
        self.look()
        self.clock = clock
        self.metrics.clear()
        self.alarms = self._new_board()

    def _new_board(self) -> AlarmBoard:
        return AlarmBoard(template_alarms(), self.metrics, self.clock.now())

    async def run(self) -> None:
        """Look at the logs for ever, and at the alarms every minute of the clock."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_SECONDS)

    def look(self) -> None:
        """Take in what there is, and judge the alarms if a minute has passed."""
        for line in self.tail.lines():
            self.take(line)
        self.alarms.look(self.clock.now())

    def take(self, line: LogLine) -> None:
        """Take in one line."""
        if self._token_shapes.search(line.text):
            self.measured(EXPOSURES, 1)
        try:
            told = json.loads(line.text)
        except ValueError:
            self.lines_not_understood += bool(line.text.strip())
            return
        if not isinstance(told, dict):
            return
        if "_aws" in told:
            self._take_metrics(told)
        else:
            self.requests.take_line(told)

    def measured(self, key: MetricKey, value: float) -> None:
        """Take in a sample of this moment, of what the platform measures itself."""
        self.metrics.add(key, value, at=self.clock.now())

    def _take_metrics(self, told: Mapping[str, Any]) -> None:
        """One line of the embedded metric format."""
        at = self.clock.at(float(told["_aws"]["Timestamp"]) / 1000)
        for directive in told["_aws"]["CloudWatchMetrics"]:
            for dimensions in directive["Dimensions"]:
                values = {name: str(told[name]) for name in dimensions}
                for metric in directive["Metrics"]:
                    key = MetricKey.of(directive["Namespace"], metric["Name"], values)
                    self._add(key, told[metric["Name"]], at=at, unit=metric.get("Unit", "None"))

    def _add(self, key: MetricKey, given: Any, *, at: float, unit: str) -> None:
        factor = self.clock.factor if key.name in LASTING else 1.0
        for value in given if isinstance(given, list) else [given]:
            self.metrics.add(key, float(value) * factor, at=at, unit=unit)
