import asyncio
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.observability import metrics, tracing
from shared.observability.spans import OpenSpan, SpanName
from shared.observability.tracing import span
from tests.unit.observability import canaries
from tests.unit.observability.conftest import Lines

ROOT = Path(__file__).parents[3]


def test_a_span_tells_its_duration_and_outcome_to_metrics_and_log(lines: Lines) -> None:
    with span(SpanName.PURGE, operation="find_grant") as opened:
        opened.set(rows=1)
    metrics.flush()

    told, metric = lines()
    assert told["message"] == "span ended"
    assert (told["span"], told["outcome"]) == ("purge", "ok")
    assert told["attributes"] == {"operation": "find_grant", "rows": 1}
    assert (metric["span"], metric["outcome"]) == ("purge", "ok")
    assert len(metric["SpanDuration"]) == 1


def test_a_span_that_ends_in_an_exception_says_so_and_lets_it_through(lines: Lines) -> None:
    with pytest.raises(KeyError), span(SpanName.TOOL):
        raise KeyError("x")

    (told,) = lines()
    assert told["outcome"] == "failed"
    assert told["attributes"] == {"error_type": "KeyError"}


def test_attributes_are_redacted(lines: Lines, capsys: pytest.CaptureFixture[str]) -> None:
    with span(SpanName.UPSTREAM_RPC, **canaries.ALONE, authorization=canaries.OPAQUE):
        pass

    out = capsys.readouterr().out
    assert out
    assert not any(secret in out for secret in (*canaries.ALONE.values(), canaries.OPAQUE))


async def test_spans_of_concurrent_tasks_never_adopt_each_other(lines: Lines) -> None:
    everyone_in = asyncio.Barrier(20)

    async def work(number: int) -> tuple[OpenSpan, OpenSpan]:
        with span(SpanName.TOOL, number=number) as outer:
            await everyone_in.wait()
            with span(SpanName.UPSTREAM_RPC) as inner:
                await everyone_in.wait()
            return outer, inner

    with span(SpanName.REFRESH) as root:
        async with asyncio.timeout(10):
            pairs = await asyncio.gather(*(work(number) for number in range(20)))

    assert all(inner.parent is outer and outer.parent is root for outer, inner in pairs)
    assert root.parent is None


def test_another_provider_can_take_over(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    class Recorder:
        def begin(self, span: OpenSpan) -> None:
            told.append(f"begin {span.name}")

        def end(self, span: OpenSpan) -> None:
            told.append(f"end {span.name} {span.outcome}")

        def around(self, handler: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
            return handler

    monkeypatch.setattr(tracing, "_sink", Recorder())

    with span(SpanName.TOOL), span(SpanName.PURGE):
        pass

    assert told == ["begin tool", "begin purge", "end purge ok", "end tool ok"]


def test_tracing_costs_no_import_unless_wanted_and_on_lambda(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("LAMBDA_TASK_ROOT", raising=False)
    tracing.configure(service="unit", enabled=True)
    assert tracing.sink() is None

    program = (
        "import sys\n"
        "import shared.observability.instrument\n"
        "from shared.observability import crash_reports, tracing\n"
        "tracing.configure(service='x', enabled=False)\n"
        "crash_reports.start(dsn=None, stage='local', release='r')\n"
        "heavy = {'aws_xray_sdk', 'sentry_sdk', 'boto3', 'pydantic', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = _python(program, {})
    assert ran.strip() == "[]"


XRAY_PROGRAM = """
import asyncio, types
from shared.observability.instrument import instrument
from shared.observability.spans import SpanName
from shared.observability.tracing import span

settings = types.SimpleNamespace(
    stage="local", log_level="INFO", release="r", sentry_dsn=None,
    sentry_traces_sample_rate=0.0, trace_enabled=True, debug_answers=False,
    aws_lambda_function_memory_size=None, memory_share_max=0.85,
)

async def work(number):
    with span(SpanName.TOOL, number=number):
        await asyncio.sleep(0)
        with span(SpanName.UPSTREAM_RPC, number=number, code="Xq7-opaque-canary"):
            await asyncio.sleep(0)
        if number == 3:
            raise ValueError("Xq7-opaque-canary")

def handler(event, context):
    async def main():
        await asyncio.gather(*(work(n) for n in range(8)), return_exceptions=True)
    asyncio.run(main())
    raise ValueError("Xq7-opaque-canary")

try:
    instrument("unit", settings)(handler)({"headers": {"x-request-id": "request-1"}}, None)
except Exception as error:
    print(type(error).__name__)
"""


def _python(program: str, environment: dict[str, str]) -> str:
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    return done.stdout


def _received(daemon: socket.socket) -> list[dict[str, Any]]:
    documents = []
    daemon.settimeout(0.2)
    try:
        while True:
            _, body = daemon.recv(65_536).split(b"\n", 1)
            documents.append(json.loads(body))
    except TimeoutError:
        return documents


def test_x_ray_gets_every_span_under_its_own_parent_and_no_secret() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as daemon:
        daemon.bind(("127.0.0.1", 0))
        out = _python(
            XRAY_PROGRAM,
            {
                "LAMBDA_TASK_ROOT": str(ROOT),
                "AWS_XRAY_DAEMON_ADDRESS": f"127.0.0.1:{daemon.getsockname()[1]}",
                "_X_AMZN_TRACE_ID": (
                    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
                ),
            },
        )
        documents = _received(daemon)

    assert "InvocationError" in out
    assert "Xq7-opaque-canary" not in json.dumps(documents)
    by_id = {document["id"]: document for document in documents}
    assert {document["trace_id"] for document in documents} == {
        "1-5759e988-bd862e3fe1be46a994272793"
    }
    (root,) = (document for document in documents if document["name"] == "## unit")
    tools = [document for document in documents if document["name"] == "tool"]
    calls = [document for document in documents if document["name"] == "upstream_rpc"]
    assert (len(tools), len(calls)) == (8, 8)
    assert {tool["parent_id"] for tool in tools} == {root["id"]}
    assert all(
        by_id[call["parent_id"]]["annotations"]["number"] == call["annotations"]["number"]
        for call in calls
    )
    assert [tool["annotations"]["number"] for tool in tools if tool.get("fault")] == [3]
    assert {tool["annotations"]["correlation_id"] for tool in tools} == {"request-1"}
