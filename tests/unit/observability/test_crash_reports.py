import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from shared.errors.base import ServiceError
from shared.observability import crash_reports
from shared.observability.request_context import begin_request
from tests.unit.observability import canaries
from tests.unit.observability.conftest import Lines

DSN = "http://public@127.0.0.1:9/1"


class CapturingTransport(Transport):
    """Keeps what would have been sent."""

    def __init__(self) -> None:
        super().__init__({"dsn": DSN})
        self.sent: list[bytes] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.sent.append(envelope.serialize())

    def events(self) -> list[dict[str, Any]]:
        return [json.loads(envelope.splitlines()[2]) for envelope in self.sent]


@pytest.fixture
def transport() -> Iterator[CapturingTransport]:
    capturing = CapturingTransport()
    crash_reports.start(dsn=DSN, stage="local", release="r1", sample_rate=1.0, transport=capturing)
    yield capturing
    sentry_sdk.get_client().close(timeout=0)


def _failure(message: str) -> ValueError:
    try:
        _raise(message)
    except ValueError as error:
        error.add_note(message)
        return error
    raise AssertionError("unreachable")


def _raise(message: str) -> None:
    local_secret = message
    raise ValueError(message) from RuntimeError(local_secret)


def test_without_a_dsn_nothing_is_reported() -> None:
    crash_reports.start(dsn=None, stage="local", release="r1")

    assert crash_reports.report(ValueError("x")) is None
    crash_reports.flush()


def test_a_dsn_that_is_still_a_reference_reports_nothing_and_stops_nothing(lines: Lines) -> None:
    crash_reports.start(dsn="secret:arn:aws:x#dsn", stage="local", release="r1")

    assert crash_reports.report(ValueError("x")) is None
    assert lines() == []


def test_a_malformed_dsn_stops_nothing_and_is_not_shown(lines: Lines) -> None:
    crash_reports.start(dsn=f"https://{canaries.OPAQUE}", stage="local", release="r1")

    assert crash_reports.report(ValueError("x")) is None
    (line,) = lines()
    assert line["level"] == "WARNING"
    assert canaries.OPAQUE not in str(line)


def test_a_report_has_the_correlation_id_the_catalogue_code_and_the_facts(
    transport: CapturingTransport,
) -> None:
    with begin_request(function="f", correlation_id="request-1"):
        report_id = crash_reports.report(ServiceError({"status": 502}), attempt=2)

    (event,) = transport.events()
    assert event["event_id"] == report_id
    assert event["tags"] == {"correlation_id": "request-1", "error_code": "internal_error"}
    assert event["contexts"]["facts"] == {"status": 502, "attempt": 2}
    assert (event["environment"], event["release"]) == ("local", "r1")


def test_an_error_is_reported_once(transport: CapturingTransport) -> None:
    error = _failure("x")

    first = crash_reports.report(error)

    assert crash_reports.report(error) == first
    assert len(transport.sent) == 1


def test_a_reporter_that_fails_adds_no_crash_to_the_crash(
    transport: CapturingTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise RuntimeError("broken")

    monkeypatch.setattr(sentry_sdk, "new_scope", fail)

    assert crash_reports.report(_failure("x")) is None
    assert transport.sent == []


@pytest.mark.parametrize("name", canaries.ALL)
def test_no_secret_reaches_an_envelope(name: str, transport: CapturingTransport) -> None:
    text, secret = canaries.ALL[name]

    crash_reports.report(_failure(text), field=text, nested=[{"deep": text.encode()}])
    with crash_reports.timed("unit"), sentry_sdk.start_span(op="x", name=text) as span:
        span.set_data("field", text)
    crash_reports.flush()

    assert len(transport.sent) == 2
    for envelope in transport.sent:
        assert secret.encode() not in envelope


def test_local_variables_and_the_machine_stay_at_home(transport: CapturingTransport) -> None:
    crash_reports.report(_failure("x"))

    (event,) = transport.events()
    frames = event["exception"]["values"][-1]["stacktrace"]["frames"]
    assert frames
    assert not any("vars" in frame for frame in frames)
    assert event.get("breadcrumbs", {}).get("values", []) == []
    assert "request" not in event
    assert "user" not in event


def test_a_dead_receiver_delays_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = taken.getsockname()[1]
    crash_reports.start(dsn=f"http://public@127.0.0.1:{port}/1", stage="local", release="r1")
    waits: list[float] = []
    flush = sentry_sdk.flush

    def watched_flush(timeout: float, callback: Callable[[int, float], None]) -> None:
        waits.append(timeout)
        flush(timeout, callback)

    monkeypatch.setattr(sentry_sdk, "flush", watched_flush)

    started = time.monotonic()
    for number in range(20):
        crash_reports.report(ValueError(number))
        crash_reports.flush()
    sentry_sdk.get_client().close(timeout=5)

    # Bounds, not measurements: every wait is short, and 20 reports together stay under the
    # time that a single connect timeout would cost.
    assert set(waits) <= {crash_reports.FLUSH_SECONDS_MAX}
    assert time.monotonic() - started < 10


def test_after_a_late_report_nothing_is_waited_for_soon_again() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        crash_reports.start(dsn=f"http://public@127.0.0.1:{port}/1", stage="local", release="r1")
        crash_reports.report(ValueError("x"))
        crash_reports.flush()

        assert crash_reports._reporter.paused_until > time.monotonic()
        crash_reports._reporter.paused_until = 0.0
    sentry_sdk.get_client().close(timeout=0)


@pytest.mark.parametrize("drawn", [0.0, 0.0999, 0.1, 0.9999])
def test_only_the_sampled_share_of_invocations_is_timed_and_the_others_wait_for_nothing(
    drawn: float, transport: CapturingTransport, monkeypatch: pytest.MonkeyPatch
) -> None:
    crash_reports.start(dsn=DSN, stage="local", release="r1", sample_rate=0.1, transport=transport)
    monkeypatch.setattr(crash_reports._random, "random", lambda: drawn)
    monkeypatch.setattr(crash_reports._reporter, "pending", False)

    with crash_reports.timed("unit"):
        pass

    sampled = drawn < 0.1
    assert crash_reports._reporter.pending is sampled
    crash_reports.flush()
    assert len(transport.sent) == int(sampled)
    for envelope in transport.sent:
        sent = json.loads(envelope.splitlines()[2])
        assert (sent["transaction"], sent["environment"], sent["release"]) == (
            "unit",
            "local",
            "r1",
        )
