import asyncio
import sys
from collections.abc import Sequence
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode, get_tracer_provider

from shared import observability
from shared.observability import open_telemetry, tracing
from shared.observability.instrument import InvocationError, instrument, observed_handler
from shared.observability.open_telemetry import OpenTelemetrySink
from shared.observability.spans import SpanName, TraceProvider
from shared.observability.trace_context import parse
from shared.observability.tracing import TracingUnavailableError, span
from shared.settings import ObservabilitySettings
from tests.support.telemetry_sinks import http_sink
from tests.unit.observability import traced_work
from tests.unit.observability.conftest import Lines

TRACE, CALLER = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
CONTINUED = {"headers": {"traceparent": f"00-{TRACE}-{CALLER}-01"}}


def traced_by(exporter: SpanExporter, *, sample_rate: float = 1.0) -> None:
    tracing.use(
        OpenTelemetrySink(
            exporter, service="unit", stage="local", release="r1", sample_rate=sample_rate
        )
    )


@pytest.fixture
def exporter(lines: Lines) -> InMemorySpanExporter:
    kept = InMemorySpanExporter()
    traced_by(kept)
    return kept


def attributes(one: ReadableSpan) -> dict[str, Any]:
    return dict(one.attributes or {})


def parent_id(one: ReadableSpan) -> int | None:
    return one.parent.span_id if one.parent else None


def id_of(one: ReadableSpan) -> int:
    assert one.context is not None
    return int(one.context.span_id)


def test_spans_that_run_at_once_have_the_tree_and_facts_that_x_ray_gets(
    exporter: InMemorySpanExporter,
) -> None:
    with pytest.raises(InvocationError):
        observed_handler(traced_work.handler)(traced_work.EVENT, None)

    ended = exporter.get_finished_spans()
    (root,) = (one for one in ended if one.parent is None)
    names = {id_of(root): "root"} | {
        id_of(one): f"tool {attributes(one)['number']}" for one in ended if one.name == "tool"
    }
    found = [
        (
            one.name,
            attributes(one)["number"],
            names[parent_id(one) or 0],
            one.status.status_code is StatusCode.ERROR,
        )
        for one in ended
        if one is not root
    ]
    assert sorted(found) == traced_work.EXPECTED
    assert {attributes(one)["correlation_id"] for one in ended} == {"request-1"}
    assert root.status.status_code is StatusCode.ERROR
    assert traced_work.SECRET not in "".join(one.to_json() for one in ended)


def test_the_callers_trace_is_continued_and_the_site_is_told_the_span_that_asks_it(
    exporter: InMemorySpanExporter,
) -> None:
    told: list[str | None] = []

    def handler(event: Any, context: Any) -> None:
        with span(SpanName.TOOL), span(SpanName.UPSTREAM_RPC):
            told.append(tracing.traceparent())

    observed_handler(handler)(CONTINUED, None)

    rpc, _tool, root = exporter.get_finished_spans()
    assert parent_id(root) == int(CALLER, 16)
    assert {one.context.trace_id for one in (rpc, root) if one.context} == {int(TRACE, 16)}
    assert attributes(root)["correlation_id"] == TRACE
    found = parse(told[0])
    assert found is not None
    assert (found.trace_id, int(found.parent_id or "", 16)) == (TRACE, id_of(rpc))
    assert found.sampled


def test_without_a_provider_the_site_is_told_the_trace_all_the_same(lines: Lines) -> None:
    told: list[str | None] = [tracing.traceparent()]

    def handler(event: Any, context: Any) -> None:
        told.append(tracing.traceparent())
        with span(SpanName.UPSTREAM_RPC):
            told.extend([tracing.traceparent(), tracing.traceparent()])

    observed_handler(handler)({"headers": {}}, None)

    outside, before, first, second = told
    assert outside is None
    assert first == second, "one span, one id"
    correlation_id = lines()[0]["correlation_id"]
    for one in (before, first):
        found = parse(one)
        assert found is not None
        assert (found.trace_id, found.sampled) == (correlation_id, False)
    assert before != first


def test_what_a_caller_says_of_its_own_records_decides_nothing(lines: Lines) -> None:
    kept = InMemorySpanExporter()
    traced_by(kept, sample_rate=0.0)
    observed_handler(lambda _event, _context: None)(CONTINUED, None)
    assert kept.get_finished_spans() == ()

    traced_by(kept, sample_rate=1.0)
    unsampled = {"headers": {"traceparent": f"00-{TRACE}-{CALLER}-00"}}
    observed_handler(lambda _event, _context: None)(unsampled, None)
    assert len(kept.get_finished_spans()) == 1


def test_a_task_that_outlives_its_request_breaks_nothing(exporter: InMemorySpanExporter) -> None:
    async def outliving() -> None:
        with span(SpanName.CIRCUIT_REPORT):
            pass

    asyncio.run(outliving())

    assert exporter.get_finished_spans() == ()


def test_our_provider_does_not_collect_what_libraries_trace(exporter: InMemorySpanExporter) -> None:
    def handler(event: Any, context: Any) -> None:
        with get_tracer_provider().get_tracer("mcp-python-sdk").start_as_current_span("tools/call"):
            pass

    observed_handler(handler)({}, None)

    assert [one.name for one in exporter.get_finished_spans()] == ["unit"]


class Refusing(SpanExporter):
    """Takes nothing, in the way it is told."""

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.asked: list[int] = []

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        self.asked.append(len(spans))
        if self.error is not None:
            raise self.error
        return SpanExportResult.FAILURE


@pytest.mark.parametrize("error", [None, OSError("secret=x")], ids=["refused", "broken"])
def test_a_collector_that_takes_nothing_is_left_alone_a_while(
    error: Exception | None, lines: Lines
) -> None:
    exporter = Refusing(error)
    traced_by(exporter)
    handler = observed_handler(lambda _event, _context: "answered")

    answers = [handler({}, None) for _ in range(3)]

    assert answers == ["answered"] * 3
    assert exporter.asked == [1]
    assert [one for one in lines() if one.get("message") == "spans not delivered"]


def test_spans_of_one_invocation_are_bounded(
    exporter: InMemorySpanExporter, monkeypatch: pytest.MonkeyPatch, lines: Lines
) -> None:
    monkeypatch.setattr(open_telemetry, "SPANS_MAX", 3)

    def handler(event: Any, context: Any) -> None:
        for _ in range(5):
            with span(SpanName.PURGE):
                pass

    observed_handler(handler)({}, None)

    assert len(exporter.get_finished_spans()) == 3
    (dropped,) = (one for one in lines() if one.get("message") == "spans dropped")
    assert dropped["spans"] == 3, "two, and the root"


def test_a_collector_gets_them_by_otlp(lines: Lines) -> None:
    with http_sink() as collector:
        given = traced_work.settings(
            trace_provider="opentelemetry", otlp_traces_url=collector.otlp_traces_url
        )
        with pytest.raises(InvocationError):
            instrument("unit", given)(traced_work.handler)(traced_work.EVENT, None)
        (body,) = collector.bodies("/v1/traces")

    (of_us,) = ExportTraceServiceRequest.FromString(body).resource_spans
    facts = {one.key: one.value.string_value for one in of_us.resource.attributes}
    assert facts["service.name"] == "unit"
    assert len(of_us.scope_spans[0].spans) == 1 + 2 * traced_work.TASKS
    assert traced_work.SECRET.encode() not in body


def test_a_collector_that_is_away_holds_no_answer_back(lines: Lines) -> None:
    given = traced_work.settings(
        trace_provider="opentelemetry", otlp_traces_url="http://127.0.0.1:9/v1/traces"
    )
    handler = instrument("unit", given)(lambda _event, _context: "answered")

    assert [handler({}, None), handler({}, None)] == ["answered"] * 2


def test_a_process_does_not_start_without_the_packages_of_its_provider(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.exporter.otlp.proto.http.trace_exporter", None)
    monkeypatch.delitem(sys.modules, "shared.observability.otlp", raising=False)
    monkeypatch.delattr(observability, "otlp", raising=False)
    given = traced_work.settings(
        trace_provider="opentelemetry", otlp_traces_url="http://127.0.0.1:9/v1/traces"
    )

    with pytest.raises(TracingUnavailableError, match="EXTRAS=opentelemetry"):
        instrument("unit", given)


def test_settings_know_every_provider_and_no_other() -> None:
    annotation = ObservabilitySettings.model_fields["trace_provider"].annotation

    assert set(getattr(annotation, "__args__", ())) == {one.value for one in TraceProvider}
