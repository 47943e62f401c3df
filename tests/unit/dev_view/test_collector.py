"""From what functions write and send to requests, spans and metrics."""

import asyncio
import io
import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from scripts.alarms.alarm import MetricKey, Statistic
from scripts.dev_view import log_tail, request_log
from scripts.dev_view.collector import EXPOSURES, Collector, FasterClock
from scripts.dev_view.log_tail import LogLine, LogTail
from scripts.dev_view.request_log import RequestLog
from scripts.dev_view.shown import bars_of, outcome_words, request_row
from scripts.dev_view.tail import ended, line_of, painter
from scripts.dev_view.trace_daemon import HEADER, TraceDaemon
from shared.domain.tokens import TokenKind, mint

REQUEST_ID = "27f80ed5-b48e-467d-958c-805ed9592373"
TRACE_ID = "1-27f80ed5-b48e467d958c805ed9592373"
BEGAN = 1_800_000_000.0


def line(message: str, **fields: Any) -> dict[str, Any]:
    about = {"service": "mcp_endpoint", "correlation_id": "cafe", "message": message}
    return {**about, "timestamp": "2026-11-25T16:59:23.758+00:00", "level": "INFO", **fields}


def started(request_id: str = REQUEST_ID, **fields: Any) -> dict[str, Any]:
    facts = {"trigger": "http", "method": "POST", "path": "/mcp", "lambda_request_id": request_id}
    return line("invocation started", **(facts | fields))


def a_request_ended(**fields: Any) -> dict[str, Any]:
    return line("invocation ended", **{"status": 200, "duration_milliseconds": 12.5, **fields})


def document(span_id: str, name: str, at: tuple[float, float], *, parent: str) -> dict[str, Any]:
    times = {"start_time": BEGAN + at[0] / 1000, "end_time": BEGAN + at[1] / 1000}
    return {"id": span_id, "name": name, "parent_id": parent, "trace_id": TRACE_ID, **times}


def collector() -> Collector:
    return Collector(LogTail({}))


def test_a_request_is_its_first_line_its_last_and_what_it_logged_between() -> None:
    requests = RequestLog()
    requests.take_line(started(cold_start=True))
    requests.take_line(line("tool ended with an error", level="INFO", error_code="not_found"))
    assert requests.take_line(line("of nobody", correlation_id="other")) is None
    requests.take_line(a_request_ended(tool="get_tutorial", error_code="not_found"))
    (request,) = requests.newest_first()
    row = request_row(request)

    assert (row.status, row.milliseconds, row.tone) == ("200", 12.5, "warn")
    assert row.what == "mcp_endpoint POST /mcp get_tutorial"
    assert [one["message"] for one in request.lines] == ["tool ended with an error"]
    assert requests.get(REQUEST_ID) is request


def test_spans_stand_behind_their_parents_even_if_they_came_before_the_first_line() -> None:
    requests = RequestLog()
    requests.take_span(document("c", "upstream_rpc", (20, 60), parent="b"))
    requests.take_line(started())
    requests.take_span(document("b", "tool", (10, 80), parent="a"))
    requests.take_span(document("d", "close_call", (80, 100), parent="a"))
    requests.take_span(document("a", "## mcp_endpoint", (0, 100), parent="facade"))
    (request,) = requests.newest_first()
    bars = bars_of(request)

    assert [(bar.depth, bar.name) for bar in bars] == [
        (0, "tool"),
        (1, "upstream_rpc"),
        (0, "close_call"),
    ]
    assert [(round(bar.left), round(bar.width)) for bar in bars] == [(10, 70), (20, 40), (80, 20)]
    assert [bar.kind for bar in bars] == ["tool", "site", "store"]


def test_only_the_newest_requests_and_so_many_spans_of_each_are_kept(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(request_log, "REQUESTS_MAX", 3)
    monkeypatch.setattr(request_log, "SPANS_PER_REQUEST_MAX", 2)
    monkeypatch.setattr(request_log, "LINES_PER_REQUEST_MAX", 2)
    requests = RequestLog()
    for number in range(5):
        requests.take_line(started(f"request-{number}", correlation_id=f"c-{number}"))
    requests.take_line(started())
    for number in range(5):
        requests.take_span(document(str(number), "tool", (0, 1), parent="a"))
        requests.take_line(line("more"))
    newest, *older = requests.newest_first()

    assert [one.request_id for one in older] == ["request-4", "request-3"]
    assert (len(newest.spans), len(newest.lines)) == (2, 2)


def test_a_metric_is_known_by_every_set_of_its_dimensions_at_the_time_of_a_faster_clock() -> None:
    taking = Collector(LogTail({}), FasterClock(60.0, since=BEGAN))
    directive = {
        "Namespace": "DrupalizeMcp",
        "Dimensions": [["service", "stage"], ["stage"]],
        "Metrics": [{"Name": "Faults", "Unit": "Count"}],
    }
    emf = {
        "_aws": {"Timestamp": (BEGAN + 2) * 1000, "CloudWatchMetrics": [directive]},
        "service": "oauth",
        "stage": "local",
        "Faults": [1.0, 2.0],
    }
    taking.take(LogLine("oauth", json.dumps(emf)))

    for dimensions in ({"stage": "local"}, {"service": "oauth", "stage": "local"}):
        total = Statistic(MetricKey.of("DrupalizeMcp", "Faults", dimensions), "Sum")
        assert taking.metrics.value(total, begin=BEGAN + 120, end=BEGAN + 180) == 3.0


def test_a_token_in_a_line_is_counted_and_never_kept() -> None:
    taking = collector()
    token = mint(next(iter(TokenKind)))
    taking.take(LogLine("oauth", f"odd library: {token}"))
    taking.take(LogLine("oauth", json.dumps(started())))
    taking.take(LogLine("oauth", json.dumps(line("odd", field=str(token)))))
    taking.requests.take_span(
        {**document("a", "tool", (0, 1), parent="b"), "annotations": {"x": str(token)}}
    )
    (request,) = taking.requests.newest_first()
    count = taking.metrics.value(Statistic(EXPOSURES, "Sum"), begin=0, end=BEGAN * 2)

    assert count == 2.0
    assert request.lines
    assert request.spans
    assert str(token) not in repr(request)


def test_what_makes_no_sense_is_counted_and_dropped() -> None:
    taking = collector()
    for text in ("Traceback (most recent call last):", "", "[1]", "null", '{"message": 1}'):
        taking.take(LogLine("oauth", text))

    assert taking.lines_not_understood == 1
    assert taking.requests.newest_first() == []


async def test_the_daemon_takes_documents_over_udp_and_drops_the_rest() -> None:
    requests, arrived = RequestLog(), asyncio.Event()
    requests.take_line(started())

    def take(document: Mapping[str, Any]) -> None:
        requests.take_span(document)
        arrived.set()

    daemon = TraceDaemon(take)
    host, port = (await daemon.listen()).split(":")
    good = HEADER + json.dumps(document("a", "tool", (0, 1), parent="b")).encode()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in (b"", b"odd", HEADER + b"[]", HEADER + b'{"id": 1}', good):
            sender.sendto(datagram, (host, int(port)))
    await asyncio.wait_for(arrived.wait(), 20)
    daemon.close()
    (request,) = requests.newest_first()

    assert [span.name for span in request.spans] == ["tool"]
    assert daemon.dropped == 4


def test_a_log_is_followed_over_unfinished_lines_and_a_new_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_tail, "LINE_BYTES_MAX", 20)
    log = tmp_path / "oauth.log"
    log.write_text("before\n")
    tail = LogTail({"oauth": log, "never": tmp_path / "never.log"}, from_start=False)

    def after(text: str) -> list[str]:
        with log.open("a") as file:
            file.write(text)
        return [one.text for one in tail.lines()]

    assert after("one\ntw") == ["one"]
    assert after("o\n") == ["two"]
    assert after("x" * 50 + "\nthree\n") == ["three"]
    log.write_text("")
    assert after("anew\n") == ["anew"]


def test_the_terminal_shows_one_line_a_request_with_colours_for_people_only(
    tmp_path: Path,
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    log = tmp_path / "mcp_endpoint.log"
    lines = [started(), a_request_ended(tool="get_tutorial", error_code="not_found")]
    log.write_text("".join(f"{json.dumps(one)}\n" for one in lines) + "Traceback\n")
    (request,) = ended(LogTail({"mcp_endpoint": log}), RequestLog())
    plain = line_of(request_row(request), painter(io.StringIO()))

    assert plain.split() == [
        *("16:59:23", "200", "12.5", "cafe"),
        *("mcp_endpoint", "POST", "/mcp", "get_tutorial", "not_found"),
    ]
    assert "\x1b[33m" in line_of(request_row(request), painter(Terminal()))


def test_a_tick_is_told_without_what_did_not_happen() -> None:
    assert outcome_words('{"refreshed": 0, "pairs_left": 2}') == "pairs left 2"
    assert outcome_words('{"a": "passed", "b": "passed", "c": "failed"}') == "2 passed, 1 failed"
    assert outcome_words("{}") == "nothing to do"
    assert outcome_words("Sandbox.Timedout") == "Sandbox.Timedout"
