"""A tool call with everything that observes it on, against the same call with as little as can be.

Both functions run side by side under the emulator and are called in turn, so that what slows the
machine down slows both. Every way of tracing is measured beside the others.
"""

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx2

from scripts.benchmarks import process_usage
from scripts.benchmarks.endpoint.premises import Premises, opened_premises
from scripts.benchmarks.quiet_receivers import Receivers, quiet_receivers
from scripts.benchmarks.refresh.world import World, running_world
from scripts.benchmarks.samples import Summary, interleaved, ratio, summary
from scripts.benchmarks.tables import number, table, times
from scripts.benchmarks.tool_requests import SEARCH
from scripts.lambda_emulator.emulator import Emulator
from scripts.lambda_emulator.specification import FunctionSpec

OFF: Final = "off"
OBSERVED: Final = "functions.mcp_endpoint.handler.handler"
UNOBSERVED: Final = "scripts.benchmarks.unobserved_endpoint.handler"
OVERHEAD_MAX: Final = 1.10
"""Of the median of a call: the target, as a ratio to the same call with everything off."""
_TIMEOUT_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """How much is measured."""

    discarded: int
    rounds: int


WHOLE: Final = Extent(discarded=100, rounds=1_000)
QUICK: Final = Extent(discarded=2, rounds=5)


@dataclass(frozen=True, kw_only=True)
class Observed:
    """One way of observing; ratios are to everything off, in the same run."""

    name: str
    total_ms: Summary
    cpu_ms: float | None
    """Processor time of the function's process per call."""
    total_ratio: float | None
    cpu_ratio: float | None


@dataclass(frozen=True, kw_only=True)
class ObservabilityReport:
    """Everything that ``bench observability`` finds out."""

    rounds: int
    results: list[Observed]
    received: dict[str, int]
    """What the receivers got; where it is nothing, nothing was measured."""

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"observability": asdict(self)}


def ways(receivers: Receivers) -> dict[str, Mapping[str, str]]:
    """The ways of observing, as variables; as deployed is INFO and X-Ray."""
    sentry = {"SENTRY_DSN": receivers.sentry_dsn, "SENTRY_TRACES_SAMPLE_RATE": "0.05"}
    xray = {"TRACE_PROVIDER": "xray", "AWS_XRAY_DAEMON_ADDRESS": receivers.xray_address}
    otlp = {"TRACE_PROVIDER": "opentelemetry", "OTLP_TRACES_URL": receivers.otlp_traces_url}
    return {
        OFF: {"LOG_LEVEL": "CRITICAL"},
        "logs and metrics": {"LOG_LEVEL": "INFO"},
        "all, X-Ray": {"LOG_LEVEL": "INFO", **sentry, **xray},
        "all, OpenTelemetry": {"LOG_LEVEL": "INFO", **sentry, **otlp},
    }


def measure(extent: Extent) -> ObservabilityReport:
    """Call everyone so often.

    Raises:
        AnswerError: a call was not answered as it should be.
    """
    with running_world() as world, quiet_receivers() as receivers:
        return asyncio.run(_measure(world, receivers, extent))


async def _measure(world: World, receivers: Receivers, extent: Extent) -> ObservabilityReport:
    async with AsyncExitStack() as stack:
        around = await stack.enter_async_context(opened_premises(world))
        emulator = await stack.enter_async_context(Emulator(log_folder=world.folder))
        http = await stack.enter_async_context(httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS))
        round_of = _Round(around, emulator, http)
        for name, variables in ways(receivers).items():
            await round_of.add(name, variables)
        await round_of.call(extent.discarded)
        before = round_of.cpu()
        took = await round_of.call(extent.rounds)
        cpu = {name: (cpu - before[name]) / extent.rounds for name, cpu in round_of.cpu().items()}
    return ObservabilityReport(
        rounds=extent.rounds, results=_results(took, cpu), received=receivers.received()
    )


class _Round:
    def __init__(self, around: Premises, emulator: Emulator, http: httpx2.AsyncClient) -> None:
        self._around = around
        self._emulator = emulator
        self._http = http
        self._urls: dict[str, str] = {}

    async def add(self, name: str, variables: Mapping[str, str]) -> None:
        """A function that is observed in this way."""
        spec = FunctionSpec(
            name=name,
            handler=UNOBSERVED if name == OFF else OBSERVED,
            environment={**self._around.variables(), **variables},
            invoke_mode="RESPONSE_STREAM",
            environments_max=1,
        )
        self._urls[name] = await self._emulator.start(spec)

    async def call(self, rounds: int) -> dict[str, list[float]]:
        """Milliseconds of so many calls of each, until its environment is at rest again."""
        took: dict[str, list[float]] = {name: [] for name in self._urls}
        headers = SEARCH.headers(self._around.access_token, self._around.host)
        for name in interleaved(rounds, list(self._urls)):
            began = asyncio.get_running_loop().time()
            answer = await self._http.post(
                f"{self._urls[name]}/mcp", headers=headers, content=SEARCH.body()
            )
            kind = answer.headers.get("content-type", "")
            SEARCH.check(answer.status_code, kind, answer.content)
            # What is sent after the answer holds the environment, and with it the next caller.
            await self._emulator.settled(name)
            took[name].append((asyncio.get_running_loop().time() - began) * 1000)
        return took

    def cpu(self) -> dict[str, float]:
        """Processor milliseconds of each process so far; 0 where nobody says."""
        return {
            name: process_usage.cpu_milliseconds(self._emulator.pids(name)[0]) or 0.0
            for name in self._urls
        }


def _results(took: Mapping[str, list[float]], cpu: Mapping[str, float]) -> list[Observed]:
    base, base_cpu = summary(took[OFF]).median, cpu[OFF]
    return [
        Observed(
            name=name,
            total_ms=(found := summary(milliseconds)),
            cpu_ms=cpu[name] or None,
            total_ratio=ratio(found.median, base),
            cpu_ratio=ratio(cpu[name], base_cpu),
        )
        for name, milliseconds in took.items()
    ]


def observability_report(report: ObservabilityReport) -> str:
    """The table."""
    rows = [
        (
            one.name,
            number(one.total_ms.median, digits=2),
            number(one.total_ms.p95, digits=2),
            number(one.cpu_ms, digits=2),
            times(one.total_ratio),
            times(one.cpu_ratio),
        )
        for one in report.results
    ]
    got = ", ".join(f"{count:,} {name}" for name, count in report.received.items())
    head = f"search_tutorials, {report.rounds:,} rounds, milliseconds, all of the invocation:"
    target = f"Target: at most {times(OVERHEAD_MAX)} of the median. The receivers got {got}."
    columns = ("observed by", "p50", "p95", "CPU", "ratio", "CPU ratio")
    return "\n\n".join([head, table(columns, rows), target])
