import asyncio
import base64
import json
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from typing import Any

import pytest

from shared.discovery.security_headers import security_headers
from shared.lambda_stream import event_loop, invocation
from shared.lambda_stream.asgi import DeadlineExceededError, StreamingAsgiHandler
from shared.lambda_stream.lifespan import LifespanError
from shared.lambda_stream.request_cycle import IncompleteResponseError, UnexpectedMessageError
from shared.lambda_stream.response_stream import InvocationAddress, RuntimeApiError
from tests.support.recording_runtime_api import RecordingRuntimeApi

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


@dataclass
class Context:
    """A runtime's context with all the time in the world, or as little as is asked for."""

    aws_request_id: str = "request-1"
    milliseconds: int = 30_000

    def get_remaining_time_in_millis(self) -> int:
        return self.milliseconds


@pytest.fixture(autouse=True)
def _fresh_environment() -> Iterator[None]:
    event_loop.discard()
    yield
    event_loop.discard()
    invocation.begin(InvocationAddress("127.0.0.1:1", "over", None))


def _event(path: str = "/", method: str = "GET", body: str = "") -> dict[str, Any]:
    http = {"method": method, "path": path, "sourceIp": "192.0.2.1"}
    return {"version": "2.0", "rawPath": path, "requestContext": {"http": http}, "body": body}


def _handler(app: App, **options: Any) -> StreamingAsgiHandler:
    return StreamingAsgiHandler(app, **({"lifespan": False} | options))


async def _hello(_scope: Message, receive: Receive, send: Send) -> None:
    request = await receive()
    headers = [(b"content-type", b"text/plain"), (b"set-cookie", b"a=1")]
    await send({"type": "http.response.start", "status": 201, "headers": headers})
    await send({"type": "http.response.body", "body": b"", "more_body": True})
    await send({"type": "http.response.body", "body": b"hello ", "more_body": True})
    await send({"type": "http.response.body", "body": request["body"]})
    assert (await receive())["type"] == "http.disconnect"


def test_without_a_streaming_runtime_the_answer_is_returned_whole() -> None:
    answer = _handler(_hello)(_event(body="world"), Context())

    assert answer == {
        "statusCode": 201,
        "headers": {"content-type": "text/plain"},
        "cookies": ["a=1"],
        "body": "hello world",
        "isBase64Encoded": False,
    }


async def test_a_handler_can_be_called_from_within_a_loop() -> None:
    assert _handler(_hello)(_event(body="x"), Context())["body"] == "hello x"


def test_bytes_are_returned_as_base64() -> None:
    async def binary(_scope: Message, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"\xff\x00"})

    answer = _handler(binary)(_event(), Context())

    assert answer["isBase64Encoded"]
    assert base64.b64decode(answer["body"]) == b"\xff\x00"


def test_with_a_streaming_runtime_the_answer_is_streamed_and_a_note_returned() -> None:
    with RecordingRuntimeApi() as api:
        invocation.begin(InvocationAddress(api.address, "request-1", None))

        answer = _handler(_hello)(_event(body="world"), Context())

        assert answer == {"statusCode": 201, "streamed": True}
        first, second = api.chunks
        prelude, _, body = first.partition(b"\0" * 8)
        assert json.loads(prelude)["statusCode"] == 201
        assert body == b"hello "
        assert second == b"world"


def test_another_invocations_stream_is_left_alone() -> None:
    invocation.begin(InvocationAddress("127.0.0.1:1", "another", None))

    assert _handler(_hello)(_event(body="x"), Context())["body"] == "hello x"


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_length_announced_for_an_empty_body_does_not_contradict_its_one_byte(
    method: str,
) -> None:
    async def empty(_scope: Message, _receive: Receive, send: Send) -> None:
        headers = [(b"content-length", b"0")]
        await send({"type": "http.response.start", "status": 202, "headers": headers})
        await send({"type": "http.response.body"})

    answer = _handler(empty)(_event(method=method), Context())

    expected = ("\n", {}) if method == "GET" else ("", {"content-length": "0"})
    assert (answer["body"], answer["headers"]) == expected


async def _fail(_scope: Message, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200})
    raise ValueError("broken")


def test_an_exception_before_the_first_byte_leaves_the_answer_unbegun() -> None:
    running = invocation.begin(InvocationAddress("127.0.0.1:1", "request-1", None))

    with pytest.raises(ValueError, match="broken"):
        _handler(_fail)(_event(), Context())
    assert not running.stream.begun


def test_an_app_that_says_nothing_is_an_error() -> None:
    async def silent(_scope: Message, _receive: Receive, _send: Send) -> None:
        pass

    with pytest.raises(IncompleteResponseError):
        _handler(silent)(_event(), Context())


def test_messages_out_of_order_are_refused() -> None:
    async def disordered(_scope: Message, _receive: Receive, send: Send) -> None:
        await send({"type": "http.response.body", "body": b"x"})

    with pytest.raises(UnexpectedMessageError):
        _handler(disordered)(_event(), Context())


def test_a_broken_stream_reaches_the_app_and_the_caller() -> None:
    invocation.begin(InvocationAddress("127.0.0.1:1", "request-1", None))

    with pytest.raises(RuntimeApiError):
        _handler(_hello)(_event(), Context())


async def _hang(_scope: Message, _receive: Receive, _send: Send) -> None:
    await asyncio.get_running_loop().create_future()


def test_an_app_without_time_answers_503() -> None:
    answer = _handler(_hang)(_event(), Context(milliseconds=0))

    assert answer["statusCode"] == 503
    assert answer["headers"]["retry-after"] == "5"
    assert json.loads(answer["body"])["code"] == "deadline_exceeded"


def test_the_answer_at_the_deadline_wears_the_headers_of_every_answer() -> None:
    worn = security_headers(https=True)

    answer = _handler(_hang, headers=worn)(_event(), Context(milliseconds=0))

    assert answer["statusCode"] == 503
    assert worn.items() <= answer["headers"].items()


def test_an_app_that_fails_while_it_is_stopped_answers_503_all_the_same() -> None:
    async def fail_late(scope: Message, receive: Receive, send: Send) -> None:
        try:
            await _hang(scope, receive, send)
        finally:
            raise ValueError("on the way out")

    context = Context(milliseconds=10)

    assert _handler(fail_late, deadline_margin_seconds=0)(_event(), context)["statusCode"] == 503


def test_a_stream_without_time_ends_in_an_error() -> None:
    async def begin_and_hang(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"part", "more_body": True})
        await _hang(scope, receive, send)

    with RecordingRuntimeApi() as api:
        running = invocation.begin(InvocationAddress(api.address, "request-1", None))

        with pytest.raises(DeadlineExceededError):
            _handler(begin_and_hang, deadline_margin_seconds=0)(_event(), Context(milliseconds=200))
        assert running.stream.begun
        assert not running.stream.closed
        event_loop.run(running.stream.finish())


def test_work_after_the_response_is_stopped_without_harm_to_it() -> None:
    async def answer_and_hang(scope: Message, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200})
        await send({"type": "http.response.body", "body": b"whole"})
        await _hang(scope, receive, send)

    handler = _handler(answer_and_hang, deadline_margin_seconds=0)

    assert handler(_event(), Context(milliseconds=50))["body"] == "whole"


class Living:
    """An app with a lifespan that behaves as it is told."""

    def __init__(self, behaviour: str = "complete") -> None:
        self.behaviour = behaviour
        self.entered = 0
        self.crash = asyncio.Event()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(scope, receive, send)
        else:
            body = json.dumps(scope["state"]).encode()
            await send({"type": "http.response.start", "status": 200})
            await send({"type": "http.response.body", "body": body})

    async def _live(self, scope: Message, receive: Receive, send: Send) -> None:
        assert (await receive())["type"] == "lifespan.startup"
        self.entered += 1
        scope["state"]["entered"] = self.entered
        if self.behaviour == "crash":
            raise ValueError("broken")
        if self.behaviour == "hang":
            await receive()
        await send({"type": f"lifespan.startup.{self.behaviour}"})
        await self.crash.wait()
        await send({"type": "lifespan.shutdown.complete"})


def test_the_lifespan_is_entered_once_and_its_state_reaches_every_request() -> None:
    app = Living()
    handler = StreamingAsgiHandler(app)

    answers = [handler(_event(), Context())["body"] for _ in range(3)]

    assert answers == ['{"entered": 1}'] * 3
    assert app.entered == 1


def test_a_lifespan_on_a_discarded_loop_is_entered_again() -> None:
    app = Living()
    handler = StreamingAsgiHandler(app)
    handler(_event(), Context())

    event_loop.discard()
    handler(_event(), Context())

    assert app.entered == 2


def test_a_lifespan_that_ended_is_entered_again() -> None:
    app = Living()
    handler = StreamingAsgiHandler(app)
    handler(_event(), Context())
    app.crash.set()
    event_loop.run(asyncio.sleep(0))

    assert handler(_event(), Context())["body"] == '{"entered": 2}'


@pytest.mark.parametrize("behaviour", ["crash", "failed"])
def test_an_app_that_cannot_start_breaks_its_environment(behaviour: str) -> None:
    running = invocation.begin(InvocationAddress("127.0.0.1:1", "request-1", None))

    with pytest.raises(LifespanError, match="startup"):
        StreamingAsgiHandler(Living(behaviour))(_event(), Context())
    assert running.environment_is_broken


def test_an_app_that_does_not_start_in_time_is_an_error() -> None:
    with pytest.raises(LifespanError, match="timeout"):
        StreamingAsgiHandler(Living("hang"))(_event(), Context(milliseconds=0))
