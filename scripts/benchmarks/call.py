"""Warm tool calls through the real path: Function URL, function, Postgres, site, and back.

Every round calls everyone once, one after the other, so that what slows the machine down slows
all of them. Never goes on with a call that failed.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

import httpx2

from scripts.benchmarks import process_usage, statements
from scripts.benchmarks.caller import Caller, Contender, TimedCall
from scripts.benchmarks.samples import Summary, interleaved, ratio, summary
from scripts.benchmarks.statements import Statements
from scripts.benchmarks.tool_requests import SEARCH, SEARCH_STREAMED, ToolRequest
from scripts.benchmarks.workbench import READ_METHOD, SEARCH_METHOD, Workbench
from scripts.benchmarks.yardstick_artifacts import EMPTY
from scripts.lambda_emulator.specification import FunctionSpec
from shared.state.roles import AppRole

OURS: Final = "mcp_endpoint"
BARE: Final = "bare SDK"
STREAMED: Final = "search_tutorials, SSE"
STATEMENT_CALLS: Final = 20
_TIMEOUT_SECONDS: Final = 30.0
_NOT_IN_NAMES: Final = re.compile(r"\W+")


@dataclass(frozen=True, kw_only=True)
class CallResult:
    """Milliseconds of one contender's calls; ratios are to the bare SDK server, same call."""

    call: str
    server: str
    total_ms: Summary
    site_ms: Summary | None
    """The site's own time, as it logs it."""
    own_ms: Summary
    """The rest, less what the empty function takes: the server and its way to the site."""
    cpu_ms: float | None
    """Processor time of the function's process per call."""
    total_ratio: float | None = None
    own_ratio: float | None = None
    cpu_ratio: float | None = None


@dataclass(frozen=True, kw_only=True)
class CallReport:
    """Everything that ``bench call`` finds out."""

    rounds: int
    results: list[CallResult]
    statements: dict[str, Statements]

    def as_json(self) -> dict[str, Any]:
        """The same as data."""
        return {"call": asdict(self)}


async def measure(workbench: Workbench, *, rounds: int, discarded: int) -> CallReport:
    """Call everyone ``discarded`` and then ``rounds`` times; then count statements.

    Raises:
        AnswerError: a call was not answered as it should be.
    """
    async with httpx2.AsyncClient(timeout=_TIMEOUT_SECONDS) as http:
        caller = Caller(workbench, http)
        contenders = await _contenders(workbench, caller)
        for contender in interleaved(discarded, contenders):
            await caller.call(contender)
        cpu_before = _cpu(workbench, contenders)
        timed = await caller.timed(interleaved(rounds, contenders))
        cpu_after = _cpu(workbench, contenders)
        cpu = {
            name: (after - cpu_before[name]) / rounds
            for name, after in cpu_after.items()
            if name in cpu_before
        }
        results = _results(contenders, timed, cpu)
        counted = {
            contender.call: await _statements(workbench, caller, contender)
            for contender in contenders
            if contender.server == OURS
        }
    return CallReport(rounds=rounds, results=results, statements=counted)


async def _contenders(workbench: Workbench, caller: Caller) -> list[Contender]:
    """Each in an environment of its own, so that its processor time is its own, too."""
    emulator = workbench.stack.emulator

    async def started(
        call: str, server: str, spec: FunctionSpec, request: ToolRequest, method: str | None
    ) -> Contender:
        name = f"{spec.name}_{_NOT_IN_NAMES.sub('_', call)}"
        url = await emulator.start(replace(spec, name=name))
        return Contender(
            call=call,
            server=server,
            function=name,
            url=f"{url}/mcp",
            request=request,
            site_method=method,
        )

    ours, empty = workbench.function(OURS), workbench.empty_function()
    search = await started("search_tutorials", OURS, ours, SEARCH, SEARCH_METHOD)
    read = ToolRequest(tool="get_tutorial", arguments={"id": await _content_id(caller, search)})
    return [
        search,
        await started(
            search.call, BARE, workbench.bare_server(json_response=True), SEARCH, SEARCH_METHOD
        ),
        await started(STREAMED, OURS, ours, SEARCH_STREAMED, SEARCH_METHOD),
        await started(
            STREAMED,
            BARE,
            workbench.bare_server(json_response=False),
            SEARCH_STREAMED,
            SEARCH_METHOD,
        ),
        await started("get_tutorial", OURS, ours, read, READ_METHOD),
        await started("nothing", EMPTY, empty, SEARCH, None),
    ]


async def _content_id(caller: Caller, search: Contender) -> str:
    _, body = await caller.call(search)
    found: str = json.loads(body)["result"]["structuredContent"]["results"][0]["id"]
    return found


def _cpu(workbench: Workbench, contenders: Sequence[Contender]) -> dict[str, float]:
    pids = {one.function: workbench.stack.emulator.pids(one.function) for one in contenders}
    used = {name: process_usage.cpu_milliseconds(pid) for name, (pid,) in pids.items()}
    return {name: spent for name, spent in used.items() if spent is not None}


async def _statements(workbench: Workbench, caller: Caller, contender: Contender) -> Statements:
    async def call() -> None:
        await caller.call(contender)
        # The closing statement comes after the answer.
        await workbench.stack.emulator.settled(contender.function)

    return await statements.count(
        workbench.stack.postgres, AppRole.MCP_ENDPOINT, call, calls=STATEMENT_CALLS
    )


def _results(
    contenders: Sequence[Contender], timed: Sequence[TimedCall], cpu: Mapping[str, float]
) -> list[CallResult]:
    calls: dict[str, list[TimedCall]] = {}
    for one in timed:
        calls.setdefault(one.contender.function, []).append(one)
    floor = summary([one.milliseconds for one in timed if one.contender.server == EMPTY]).median
    results = [
        _result(contender, calls[contender.function], floor, cpu.get(contender.function))
        for contender in contenders
    ]
    return [_compared(result, results) for result in results]


def _result(
    contender: Contender, calls: Sequence[TimedCall], floor: float, cpu_ms: float | None
) -> CallResult:
    asks_site = contender.site_method is not None
    return CallResult(
        call=contender.call,
        server=contender.server,
        total_ms=summary([one.milliseconds for one in calls]),
        site_ms=summary([one.site_milliseconds for one in calls]) if asks_site else None,
        own_ms=summary([one.milliseconds - one.site_milliseconds - floor for one in calls]),
        cpu_ms=cpu_ms,
    )


def _compared(result: CallResult, results: Sequence[CallResult]) -> CallResult:
    bare = next((one for one in results if (one.call, one.server) == (result.call, BARE)), None)
    if bare is None:
        return result
    known = result.cpu_ms is not None and bare.cpu_ms is not None
    return replace(
        result,
        total_ratio=ratio(result.total_ms.median, bare.total_ms.median),
        own_ratio=ratio(result.own_ms.median, bare.own_ms.median),
        cpu_ratio=ratio(result.cpu_ms or 0, bare.cpu_ms or 0) if known else None,
    )
