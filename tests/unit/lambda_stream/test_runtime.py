import asyncio
import base64
import json
import runpy
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from awslambdaric import (  # type: ignore[import-untyped] # ships no types
    bootstrap as awslambdaric_bootstrap,
)
from awslambdaric import lambda_runtime_client

from shared.lambda_stream import bootstrap, event_loop, invocation
from shared.lambda_stream.response_stream import InvocationAddress
from shared.lambda_stream.runtime import ERROR_TRAILER_BYTES_MAX, StreamingRuntimeClient
from tests.support.recording_runtime_api import RecordingRuntimeApi

ERROR = json.dumps({"errorType": "ValueError", "errorMessage": "broken"})


class RecordedCalls:
    """In place of awslambdaric's C module, whose address is fixed when it is first imported."""

    def __init__(self) -> None:
        self.results: list[tuple[Any, ...]] = []
        self.errors: list[tuple[Any, ...]] = []

    def next(self) -> tuple[bytes, dict[str, str]]:
        """One invocation."""
        return b"{}", {
            "Lambda-Runtime-Aws-Request-Id": "request-1",
            "Lambda-Runtime-Invocation-Id": "invocation-1",
            "Content-Type": "application/json",
        }

    def post_invocation_result(self, *call: Any) -> None:
        """Record."""
        self.results.append(call)

    def post_error(self, *call: Any) -> None:
        """Record."""
        self.errors.append(call)


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> RecordedCalls:
    recorded = RecordedCalls()
    monkeypatch.setattr(lambda_runtime_client, "runtime_client", recorded)
    return recorded


@pytest.fixture(autouse=True)
def _fresh_environment() -> Iterator[None]:
    event_loop.discard()
    yield
    event_loop.discard()
    invocation.begin(InvocationAddress("127.0.0.1:1", "over", None))


def _begin(api: RecordingRuntimeApi) -> invocation.Invocation:
    running = invocation.begin(InvocationAddress(api.address, "request-1", None))
    event_loop.run(running.stream.begin(b"part"))
    return running


def test_the_next_invocation_becomes_the_current_one(recorded: RecordedCalls) -> None:
    request = StreamingRuntimeClient("127.0.0.1:9001").wait_next_invocation()

    running = invocation.find("request-1")
    assert running is not None
    assert running.address == InvocationAddress("127.0.0.1:9001", "request-1", "invocation-1")
    assert request.invoke_id == "request-1"
    assert invocation.find("another") is None


def test_a_return_value_is_posted_by_awslambdaric(recorded: RecordedCalls) -> None:
    client = StreamingRuntimeClient("127.0.0.1:9001")
    client.wait_next_invocation()

    client.post_invocation_result("request-1", "{}", "application/json", "invocation-1")

    assert recorded.results == [("request-1", b"{}", "application/json", "invocation-1")]


def test_an_exception_is_posted_by_awslambdaric(recorded: RecordedCalls) -> None:
    client = StreamingRuntimeClient("127.0.0.1:9001")
    client.wait_next_invocation()

    client.post_invocation_error("request-1", ERROR, "{}")

    assert recorded.errors == [("request-1", ERROR, "{}", None)]


def test_a_streamed_answer_is_not_posted_again(recorded: RecordedCalls) -> None:
    with RecordingRuntimeApi() as api:
        running = _begin(api)
        event_loop.run(running.stream.finish())

        StreamingRuntimeClient(api.address).post_invocation_result("request-1", "null")
        StreamingRuntimeClient(api.address).post_invocation_error("request-1", ERROR, "{}")

    assert recorded.results == recorded.errors == []


def test_an_answer_left_open_is_finished(recorded: RecordedCalls) -> None:
    with RecordingRuntimeApi() as api:
        running = _begin(api)

        StreamingRuntimeClient(api.address).post_invocation_result("request-1", "null")

        assert running.stream.closed
        assert api.chunks == [b"part"]
        assert recorded.results == []


def test_an_exception_after_the_first_byte_goes_into_the_trailers(
    recorded: RecordedCalls,
) -> None:
    with RecordingRuntimeApi() as api:
        _begin(api)

        StreamingRuntimeClient(api.address).post_invocation_error("request-1", ERROR, "{}")

        body = api.trailers["Lambda-Runtime-Function-Error-Body"]
        assert api.trailers["Lambda-Runtime-Function-Error-Type"] == "ValueError"
        assert base64.b64decode(body).decode() == ERROR
        assert recorded.errors == []


def test_a_long_error_is_cut_to_its_type(recorded: RecordedCalls) -> None:
    error = json.dumps({"errorType": "ValueError", "stackTrace": "x" * ERROR_TRAILER_BYTES_MAX})
    with RecordingRuntimeApi() as api:
        _begin(api)

        StreamingRuntimeClient(api.address).post_invocation_error("request-1", error, "{}")

        body = base64.b64decode(api.trailers["Lambda-Runtime-Function-Error-Body"])
        assert json.loads(body) == {"errorType": "ValueError", "errorMessage": ""}


def test_an_end_that_is_not_accepted_does_not_end_the_environment(
    recorded: RecordedCalls,
) -> None:
    with RecordingRuntimeApi(status=0) as api:
        running = _begin(api)

        StreamingRuntimeClient(api.address).post_invocation_error("request-1", ERROR, "{}")

    assert running.stream.closed


def test_a_broken_environment_ends_after_it_has_reported(recorded: RecordedCalls) -> None:
    client = StreamingRuntimeClient("127.0.0.1:9001")
    client.wait_next_invocation()
    running = invocation.find("request-1")
    assert running is not None
    running.environment_is_broken = True

    with pytest.raises(SystemExit):
        client.post_invocation_error("request-1", ERROR, "{}")
    assert len(recorded.errors) == 1


def test_the_bootstrap_runs_the_handler_named_on_the_command_line(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    started: list[tuple[str, Any]] = []
    monkeypatch.setenv("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9001")
    monkeypatch.setattr(awslambdaric_bootstrap, "run", lambda *call: started.append(call))
    monkeypatch.setattr(sys, "argv", ["bootstrap", "functions.some.handler"])

    runpy.run_path(bootstrap.__file__, run_name="__main__")

    ((handler, client),) = started
    assert handler == "functions.some.handler"
    assert isinstance(client, StreamingRuntimeClient)
    assert client.lambda_runtime_address == "127.0.0.1:9001"


def test_no_event_loop_runs_between_invocations() -> None:
    event_loop.run(asyncio.sleep(0))

    assert not event_loop.current().is_running()
