"""Thousands of tool calls in one environment of the function: does anything grow, or get slower?

The function runs as deployed, in a process of its own under the emulator, and is looked at from
outside: looking costs it nothing.
"""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2

from scripts.benchmarks import process_usage
from scripts.benchmarks.endpoint.premises import Premises, opened_premises
from scripts.benchmarks.refresh.world import World, running_world
from scripts.benchmarks.samples import Summary, ratio, summary
from scripts.benchmarks.tables import number, table, times
from scripts.benchmarks.tool_requests import SEARCH, SEARCH_STREAMED, ToolRequest
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec

FUNCTION: Final = "mcp_endpoint"
_TIMEOUT_SECONDS: Final = 30.0
REQUESTS: Final = (
    SEARCH,
    ToolRequest(tool="get_tutorial", arguments={"id": "101"}),
    SEARCH_STREAMED,
    ToolRequest(tool="account_status"),
)
"""In turn."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    warm_up: int
    """Calls before the first look: caches fill, the allocator takes what it needs."""
    calls: int
    compared: int
    """So many of the first and of the last calls are compared."""


WHOLE: Final = Extent(warm_up=1_000, calls=10_000, compared=1_000)
QUICK: Final = Extent(warm_up=60, calls=300, compared=100)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What the process held at one moment."""

    resident_mb: float | None
    descriptors: int | None
    cpu_ms: float | None
    """Processor time so far."""


@dataclass(frozen=True, kw_only=True)
class SoakReport:
    """Everything that ``bench soak`` finds out."""

    calls: int
    environments: int
    after_warm_up: Look
    at_the_end: Look
    first_ms: Summary
    last_ms: Summary
    first_cpu_ms: float | None
    """Of the function's process, per call: it hardly moves when the machine is crowded."""
    last_cpu_ms: float | None
    memory_ratio: float | None
    latency_ratio: float | None
    cpu_ratio: float | None
    seconds: float

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"soak": asdict(self)}


def measure(extent: Extent) -> SoakReport:
    """Call so often.

    Raises:
        AnswerError: a call was not answered as it should be.
    """
    with running_world() as world:
        return asyncio.run(_measure(world, extent))


async def _measure(world: World, extent: Extent) -> SoakReport:
    async with opened_premises(world) as around, Emulator(log_folder=world.folder) as emulator:
        await emulator.start(_function(around))
        async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
            soak = _Soak(around, emulator, http)
            await soak.call(extent.warm_up)
            began = time.perf_counter()
            first = await soak.stretch(extent.compared)
            await soak.call(extent.calls - 2 * extent.compared)
            last = await soak.stretch(extent.compared)
            return _report(extent, first, last, soak.environments, time.perf_counter() - began)


def _function(around: Premises) -> FunctionSpec:
    return FunctionSpec(
        name=FUNCTION,
        handler="functions.mcp_endpoint.handler.handler",
        environment=around.variables(),
        invoke_mode="RESPONSE_STREAM",
        environments_max=1,
        port=around.port,
    )


class _Soak:
    def __init__(self, around: Premises, emulator: Emulator, http: httpx2.AsyncClient) -> None:
        self._around = around
        self._emulator = emulator
        self._http = http
        self._pids: set[int] = set()

    @property
    def environments(self) -> int:
        """Processes that were seen: more than one, and something ended the first."""
        return len(self._pids)

    async def call(self, calls: int) -> list[float]:
        """Milliseconds of each of so many calls."""
        return [await self._call(REQUESTS[turn % len(REQUESTS)]) for turn in range(calls)]

    async def _call(self, request: ToolRequest) -> float:
        headers: Mapping[str, str] = request.headers(self._around.access_token, self._around.host)
        began = time.perf_counter()
        answer = await self._http.post(
            self._around.mcp_url, headers=headers, content=request.body()
        )
        milliseconds = (time.perf_counter() - began) * 1000
        request.check(answer.status_code, answer.headers.get("content-type", ""), answer.content)
        # What is done after the answer belongs to the call that caused it.
        await self._emulator.settled(FUNCTION)
        return milliseconds

    async def stretch(self, calls: int) -> "_Stretch":
        """So many calls, with a look before and after."""
        before = self._look()
        took = await self.call(calls)
        return _Stretch(before, took, self._look())

    def _look(self) -> Look:
        """What the environment holds now; it is frozen."""
        (pid,) = self._emulator.pids(FUNCTION)
        self._pids.add(pid)
        return Look(
            resident_mb=process_usage.resident_memory_mb(pid),
            descriptors=process_usage.open_descriptors(pid),
            cpu_ms=process_usage.cpu_milliseconds(pid),
        )


@dataclass(frozen=True, slots=True)
class _Stretch:
    before: Look
    milliseconds: list[float]
    after: Look

    @property
    def cpu_ms_each(self) -> float | None:
        """Processor time of a call."""
        if self.before.cpu_ms is None or self.after.cpu_ms is None:
            return None
        return (self.after.cpu_ms - self.before.cpu_ms) / len(self.milliseconds)


def _report(
    extent: Extent, first: _Stretch, last: _Stretch, environments: int, seconds: float
) -> SoakReport:
    first_ms, last_ms = summary(first.milliseconds), summary(last.milliseconds)
    return SoakReport(
        calls=extent.calls,
        environments=environments,
        after_warm_up=first.before,
        at_the_end=last.after,
        first_ms=first_ms,
        last_ms=last_ms,
        first_cpu_ms=first.cpu_ms_each,
        last_cpu_ms=last.cpu_ms_each,
        memory_ratio=_known_ratio(last.after.resident_mb, first.before.resident_mb),
        latency_ratio=ratio(last_ms.median, first_ms.median),
        cpu_ratio=_known_ratio(last.cpu_ms_each, first.cpu_ms_each),
        seconds=seconds,
    )


def _known_ratio(late: float | None, early: float | None) -> float | None:
    return None if late is None or early is None else ratio(late, early)


def soak_report(report: SoakReport) -> str:
    """Both tables."""
    looks = (("after warm-up", report.after_warm_up), ("at the end", report.at_the_end))
    held = [
        (name, number(one.resident_mb, digits=1), number(one.descriptors)) for name, one in looks
    ]
    stretches = (
        ("first", report.first_ms, report.first_cpu_ms),
        ("last", report.last_ms, report.last_cpu_ms),
    )
    took = [
        (
            f"{name} {times_ms.runs:,}",
            number(times_ms.median, digits=1),
            number(times_ms.p95, digits=1),
            number(cpu_ms, digits=2),
        )
        for name, times_ms, cpu_ms in stretches
    ]
    return "\n\n".join(
        [
            f"{report.calls:,} calls in {report.environments} environment, {report.seconds:.0f} s:",
            table(("", "resident MB", "descriptors"), held),
            table(("calls", "p50 ms", "p95 ms", "CPU ms"), took),
            (
                f"Last to first: memory {times(report.memory_ratio)}, median "
                f"{times(report.latency_ratio)}, CPU {times(report.cpu_ratio)}."
            ),
        ]
    )
