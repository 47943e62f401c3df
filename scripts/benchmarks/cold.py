"""Cold starts: from spawning a process to its first answer, through the real runtime.

Runs of all functions are interleaved, so that what slows the machine down slows all of them. The
files are in the page cache: a real cold start also fetches them.
"""

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Final, Literal

from scripts.artifacts.build import LOGICAL_IDS
from scripts.artifacts.sizes import size_mb
from scripts.benchmarks import process_usage
from scripts.benchmarks.import_times import ImportedPackage, slowest_packages
from scripts.benchmarks.samples import Summary, interleaved, ratio, summary
from scripts.benchmarks.tool_requests import SEARCH, AnswerError
from scripts.benchmarks.workbench import Workbench
from scripts.benchmarks.yardstick_artifacts import BARE, EMPTY
from scripts.lambda_emulator.environment import Environment
from scripts.lambda_emulator.http_connection import RequestHead
from scripts.lambda_emulator.invocation import Invocation
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.lambda_emulator.url_events import (
    PRELUDE_END,
    Caller,
    buffered_answer,
    request_event,
    streamed_answer,
)
from scripts.local_stack.schedules import Schedule

_TOKEN_FORM: Final = b"grant_type=refresh_token&refresh_token=unknown&client_id=unknown"

Event = Mapping[str, Any]
Form = Literal["snapshot", "byte code", "sources"]
"""``snapshot``: as after a restore, when init has been done long before; with byte code, too."""
Check = Callable[[bytes, str], None]


@dataclass(frozen=True, kw_only=True)
class Subject:
    """Something that is started cold."""

    name: str
    form: Form
    spec: FunctionSpec
    event: Callable[[], Event]
    check: Check
    """Raises ``AnswerError`` unless the answer (its bytes, its kind) is the expected one."""


@dataclass(frozen=True, kw_only=True)
class Start:
    """One cold start, milliseconds and units of 1,000,000 bytes."""

    init_ms: float
    """From spawning to asking for work: interpreter and imports. Done ahead for a snapshot."""
    first_answer_ms: float
    """The first invocation: connections, keys, and whatever else is done late."""
    init_cpu_ms: float | None
    cpu_ms: float | None
    """Of both."""
    peak_memory_mb: float | None

    def waited_ms(self, form: Form) -> float:
        """What somebody waits for: both, or after a restore the first answer alone."""
        return self.first_answer_ms + (0.0 if form == "snapshot" else self.init_ms)

    def waited_cpu_ms(self, form: Form) -> float | None:
        """The processor time of that."""
        if self.cpu_ms is None or self.init_cpu_ms is None:
            return None
        return self.cpu_ms - (self.init_cpu_ms if form == "snapshot" else 0.0)


@dataclass(frozen=True, kw_only=True)
class ColdResult:
    """What the starts of one subject came to; ratios are to the bare SDK server of its kind."""

    name: str
    form: Form
    size_mb: float
    waited_ms: Summary
    """From spawning to the first answer; for a snapshot the first answer alone."""
    init_ms: Summary
    first_answer_ms: Summary
    waited_cpu_ms: Summary | None
    peak_memory_mb: Summary | None
    waited_ratio: float | None = None
    cpu_ratio: float | None = None


async def measure(workbench: Workbench, *, runs: int, discarded: int) -> list[ColdResult]:
    """Start every subject ``discarded`` and then ``runs`` times.

    Raises:
        AnswerError: one answered something else than expected.
        FunctionError: one did not start or failed.
    """
    chosen = _subjects(workbench)
    for subject in interleaved(discarded, chosen):
        await _start(workbench, subject)
    starts: dict[tuple[str, Form], list[Start]] = {}
    for subject in interleaved(runs, chosen):
        one = await _start(workbench, subject)
        starts.setdefault((subject.name, subject.form), []).append(one)
    results = [_result(subject, starts[subject.name, subject.form]) for subject in chosen]
    return [_compared(result, results) for result in results]


def imports(workbench: Workbench) -> dict[str, list[ImportedPackage]]:
    """Where the functions' import times go, by package."""
    return {name: slowest_packages(workbench.function(name)) for name in LOGICAL_IDS} | {
        BARE: slowest_packages(workbench.bare_server(json_response=True))
    }


def as_json(
    results: list[ColdResult], packages: dict[str, list[ImportedPackage]]
) -> dict[str, Any]:
    """The same as data."""
    return {
        "cold": [asdict(result) for result in results],
        "imports": {name: [asdict(one) for one in listed] for name, listed in packages.items()},
    }


def _subjects(workbench: Workbench) -> list[Subject]:
    def tool_call() -> Event:
        return SEARCH.event(workbench.access_token, workbench.host)

    def schedule(function: str) -> Callable[[], Event]:
        return Schedule(function, 1).tick

    questions: dict[str, tuple[FunctionSpec, Callable[[], Event], Check]] = {
        "mcp_endpoint": (workbench.function("mcp_endpoint"), tool_call, _check_tool),
        BARE: (workbench.bare_server(json_response=True), tool_call, _check_tool),
        "oauth": (workbench.function("oauth"), _token_request, _check_refusal),
        "token_refresh": (
            workbench.function("token_refresh"),
            schedule("token_refresh"),
            _check_tick,
        ),
        "cleanup": (workbench.function("cleanup"), schedule("cleanup"), _check_tick),
        EMPTY: (workbench.empty_function(), tool_call, _check_tick),
    }
    return [
        Subject(name=name, form=form, spec=moved, event=event, check=check)
        for name, (spec, event, check) in questions.items()
        for form, moved in _forms(workbench, spec).items()
    ]


def _forms(workbench: Workbench, spec: FunctionSpec) -> dict[Form, FunctionSpec]:
    return {
        "snapshot": replace(spec, snap_start=True),
        "byte code": spec,
        "sources": workbench.without_byte_code(spec),
    }


def _token_request() -> Event:
    """A refresh by a client that nobody knows: goes as far as the database."""
    headers = [(b"content-type", b"application/x-www-form-urlencoded")]
    return request_event(
        RequestHead("POST", "/token", headers), _TOKEN_FORM, Caller("127.0.0.1", "127.0.0.1", 0)
    )


def _check_tool(answer: bytes, kind: str) -> None:
    if kind == "streaming":
        prelude, _, body = answer.partition(PRELUDE_END)
        told = streamed_answer(prelude, body)
    else:
        told = buffered_answer(answer)
    content_type = dict(told.headers).get("content-type", "")
    SEARCH.check(told.status, content_type, told.body)


def _check_refusal(answer: bytes, _kind: str) -> None:
    told = buffered_answer(answer)
    if told.status != 401 or b"invalid_client" not in told.body:
        raise AnswerError(f"oauth: {told.status} {told.body[:300]!r}")


def _check_tick(answer: bytes, _kind: str) -> None:
    if not isinstance(json.loads(answer), dict):
        raise AnswerError(f"not what a schedule is answered: {answer[:300]!r}")


async def _start(workbench: Workbench, subject: Subject) -> Start:
    spec = subject.spec
    payload = json.dumps(subject.event()).encode()
    environment = Environment(spec, workbench.stack.folder.logs / f"{spec.name}.log")
    began = time.perf_counter()
    try:
        await environment.start()
        ready = time.perf_counter()
        init_cpu_ms = process_usage.cpu_milliseconds(environment.pid)
        invocation = Invocation(payload, spec.arn, spec.timeout_seconds)
        attending = environment.invoke(invocation)
        answer = await invocation.collect()
        answered = time.perf_counter()
        await attending
        subject.check(answer, invocation.kind)
        return Start(
            init_ms=(ready - began) * 1000,
            first_answer_ms=(answered - ready) * 1000,
            init_cpu_ms=init_cpu_ms,
            cpu_ms=process_usage.cpu_milliseconds(environment.pid),
            peak_memory_mb=process_usage.peak_memory_mb(environment.pid),
        )
    finally:
        await environment.stop()


def _result(subject: Subject, starts: list[Start]) -> ColdResult:
    used = [one.waited_cpu_ms(subject.form) for one in starts]
    cpu = [milliseconds for milliseconds in used if milliseconds is not None]
    memory = [one.peak_memory_mb for one in starts if one.peak_memory_mb is not None]
    return ColdResult(
        name=subject.name,
        form=subject.form,
        size_mb=size_mb(subject.spec.task_folder),
        waited_ms=summary([one.waited_ms(subject.form) for one in starts]),
        init_ms=summary([one.init_ms for one in starts]),
        first_answer_ms=summary([one.first_answer_ms for one in starts]),
        waited_cpu_ms=summary(cpu) if cpu else None,
        peak_memory_mb=summary(memory) if memory else None,
    )


def _compared(result: ColdResult, results: list[ColdResult]) -> ColdResult:
    bare = next(one for one in results if one.name == BARE and one.form == result.form)
    cpu_ratio = None
    if result.waited_cpu_ms is not None and bare.waited_cpu_ms is not None:
        cpu_ratio = ratio(result.waited_cpu_ms.median, bare.waited_cpu_ms.median)
    return replace(
        result,
        waited_ratio=ratio(result.waited_ms.median, bare.waited_ms.median),
        cpu_ratio=cpu_ratio,
    )
