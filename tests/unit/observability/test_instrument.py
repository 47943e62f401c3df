import asyncio
import logging as std_logging
from collections.abc import Iterator
from typing import Any

import pytest
from pydantic import SecretStr

from shared.observability import instrument as instrument_module
from shared.observability import metrics, request_context
from shared.observability.instrument import InvocationError, instrument, observed_handler
from shared.observability.logging import log
from shared.observability.request_context import correlation_id
from shared.settings import FUNCTION_SETTINGS, ObservabilitySettings
from tests.unit.observability import canaries
from tests.unit.observability.conftest import Lines

HTTP_EVENT: dict[str, Any] = {
    "version": "2.0",
    "rawPath": "/oauth/callback",
    "rawQueryString": f"code={canaries.OPAQUE}&state={canaries.TOKENS['state']}",
    "headers": {
        "authorization": f"Bearer {canaries.TOKENS['access']}",
        "x-correlation-id": "request-1",
    },
    "cookies": [f"__Host-browser={canaries.TOKENS['browser']}"],
    "requestContext": {"http": {"method": "GET", "path": "/oauth/callback"}},
    "body": f"refresh_token={canaries.UPSTREAM}",
}


class FakeContext:
    aws_request_id = "lambda-request-1"

    def get_remaining_time_in_millis(self) -> int:
        return 30_000


@pytest.fixture(autouse=True)
def warm_again(lines: Lines) -> Iterator[None]:
    instrument_module._Process.cold = True
    instrument_module._Process.function = "unit"
    yield
    instrument_module._Process.cold = True


def _without_metrics(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if "_aws" not in line]


def test_a_request_gives_a_line_in_a_line_out_and_its_metrics(lines: Lines) -> None:
    handler = observed_handler(lambda _event, _context: {"statusCode": 204})

    answer = handler(HTTP_EVENT, FakeContext())

    assert answer == {"statusCode": 204}
    first, last, emf = lines()
    assert first["message"] == "invocation started"
    assert (first["trigger"], first["method"], first["path"]) == ("http", "GET", "/oauth/callback")
    assert first["lambda_request_id"] == "lambda-request-1"
    assert first["cold_start"] is True
    assert last["message"] == "invocation ended"
    assert (last["status"], last["failed"]) == (204, False)
    assert {line["correlation_id"] for line in (first, last, emf)} == {"request-1"}
    assert (emf["Invocations"], emf["ColdStarts"]) == ([1.0], [1.0])


def test_only_the_first_invocation_of_a_process_is_cold(lines: Lines) -> None:
    handler = observed_handler(lambda _event, _context: None)

    handler({}, None)
    handler({}, None)

    assert [line["cold_start"] for line in lines() if "cold_start" in line] == [True, False]


def test_the_context_reaches_a_loop_run_inside_a_synchronous_handler(lines: Lines) -> None:
    async def inner() -> tuple[str, float]:
        request_context.note(tool="search_tutorials")
        return correlation_id(), request_context.remaining_seconds()

    handler = observed_handler(lambda _event, _context: asyncio.run(inner()))

    seen, remaining = handler(HTTP_EVENT, FakeContext())

    assert seen == "request-1"
    assert 0 < remaining <= 30
    assert _without_metrics(lines())[-1]["tool"] == "search_tutorials"
    assert correlation_id() == "none"


def test_a_crash_is_logged_and_only_its_correlation_id_gets_out(lines: Lines) -> None:
    def crash(event: Any, context: Any) -> None:
        raise ValueError(f"refused {canaries.JWT}")

    with pytest.raises(InvocationError) as raised:
        observed_handler(crash)(HTTP_EVENT, FakeContext())

    assert str(raised.value) == "correlation id request-1"
    assert raised.value.__cause__ is None
    assert raised.value.__suppress_context__
    written = lines()
    (failed,) = (line for line in written if line.get("message") == "invocation failed")
    assert failed["exception_name"] == "ValueError"
    assert written[-1]["InvocationFailures"] == [1.0]
    assert next(line for line in written if line.get("message") == "invocation ended")["failed"]


def test_nothing_secret_of_a_request_is_logged(
    lines: Lines, capsys: pytest.CaptureFixture[str]
) -> None:
    def handler(event: Any, context: Any) -> None:
        log.debug("whole event", event=event)
        raise RuntimeError(str(event))

    with pytest.raises(InvocationError):
        observed_handler(handler)(HTTP_EVENT, FakeContext())

    out = capsys.readouterr().out
    assert len(out.splitlines()) >= 4
    for secret in (*canaries.ALONE.values(), canaries.OPAQUE):
        assert secret not in out


@pytest.mark.parametrize(
    ("event", "trigger"),
    [
        ({"source": "aws.events", "detail-type": "Scheduled Event"}, "schedule"),
        ({"Records": [{}, {}]}, "queue"),
        ({"headers": None, "requestContext": None}, "other"),
        ({}, "other"),
        ([1], "other"),
        (None, "other"),
        ("text", "other"),
    ],
)
def test_any_event_is_survived_and_described(event: Any, trigger: str, lines: Lines) -> None:
    assert observed_handler(lambda _event, _context: "done")(event, None) == "done"

    assert lines()[0]["trigger"] == trigger


def test_metrics_are_written_even_if_the_process_is_told_to_stop(lines: Lines) -> None:
    def stop(event: Any, context: Any) -> None:
        raise SystemExit(1)

    with pytest.raises(SystemExit):
        observed_handler(stop)({}, None)

    assert any("_aws" in line for line in lines())


def test_the_settings_of_every_function_start_it(capsys: pytest.CaptureFixture[str]) -> None:
    root = std_logging.getLogger()
    handlers, level = root.handlers, root.level
    try:
        for name, group in FUNCTION_SETTINGS.items():
            assert issubclass(group, ObservabilitySettings)
            settings = ObservabilitySettings.from_environment(
                {"STAGE": "local", "LOG_LEVEL": "debug", "TRACE_PROVIDER": "xray"}
            )
            handler = instrument(name, settings)(lambda _event, _context: log.debug("inside"))
            handler({}, None)
    finally:
        root.handlers, root.level = handlers, level
        log.use(std_logging.getLogger("drupalize_mcp"))
        metrics.configure(service="unit", stage="local")

    out = capsys.readouterr().out
    assert all(f'"service":"{name}"' in out for name in FUNCTION_SETTINGS)
    assert out.count('"message":"inside"') == len(FUNCTION_SETTINGS)


def test_a_sentry_dsn_stays_a_secret_and_is_used(lines: Lines) -> None:
    settings = ObservabilitySettings.model_construct(
        stage="local", sentry_dsn=SecretStr("http://public@127.0.0.1:9/1"), log_level="INFO"
    )
    handler = instrument("unit", settings)(lambda _event, _context: None)

    handler({}, None)

    assert "public@" not in str([line for line in lines() if "_aws" not in line])
