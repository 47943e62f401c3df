import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from shared.observability import metrics, tracing
from shared.observability.spans import OpenSpan, SpanName
from shared.observability.tracing import span
from tests.support.telemetry_sinks import xray_daemon
from tests.unit.observability import canaries, traced_work
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
    tracing.configure(traced_work.settings(trace_provider="xray"), service="unit")
    assert tracing.sink() is None

    program = (
        "import sys\n"
        "import shared.observability.instrument\n"
        "from shared.observability import crash_reports, tracing\n"
        "from tests.unit.observability.traced_work import settings\n"
        "tracing.configure(settings(), service='x')\n"
        "crash_reports.start(dsn=None, stage='local', release='r')\n"
        "heavy = {'aws_xray_sdk', 'opentelemetry', 'sentry_sdk', 'boto3', 'pydantic', 'httpx'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
    )
    ran = _python(program, {})
    assert ran.strip() == "[]"


XRAY_PROGRAM = """
from shared.observability.instrument import instrument
from tests.unit.observability.traced_work import EVENT, handler, settings

try:
    instrument("unit", settings(trace_provider="xray"))(handler)(EVENT, None)
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


def test_x_ray_gets_every_span_under_its_own_parent_and_no_secret() -> None:
    with xray_daemon() as daemon:
        out = _python(
            XRAY_PROGRAM,
            {
                "LAMBDA_TASK_ROOT": str(ROOT),
                "AWS_XRAY_DAEMON_ADDRESS": daemon.address,
                "_X_AMZN_TRACE_ID": (
                    "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1"
                ),
            },
        )

    documents = [json.loads(document) for document in daemon.received]
    assert "InvocationError" in out
    assert traced_work.SECRET not in json.dumps(documents)
    assert {document["trace_id"] for document in documents} == {
        "1-5759e988-bd862e3fe1be46a994272793"
    }
    (root,) = (document for document in documents if document["name"] == "## unit")
    names = {root["id"]: "root"} | {
        one["id"]: f"tool {one['annotations']['number']}"
        for one in documents
        if one["name"] == "tool"
    }
    spans = [document for document in documents if document is not root]
    assert (
        sorted(
            (
                one["name"],
                one["annotations"]["number"],
                names[one["parent_id"]],
                one.get("fault", False),
            )
            for one in spans
        )
        == traced_work.EXPECTED
    )
    assert {one["annotations"]["correlation_id"] for one in spans} == {"request-1"}
