import base64

import pytest

from shared.lambda_stream.answers import StreamedAnswer
from shared.lambda_stream.asgi import DEADLINE_MARGIN_SECONDS
from shared.lambda_stream.event_loop import CANCEL_SECONDS_MAX, SETTLE_SECONDS_MAX
from shared.lambda_stream.http_events import ResponseHead
from shared.lambda_stream.response_stream import (
    FAIL_SECONDS_MAX,
    InvocationAddress,
    ResponseStream,
    RuntimeApiError,
)
from tests.support.recording_runtime_api import RecordingRuntimeApi


def _stream(api: str, invocation_id: str | None = None) -> ResponseStream:
    return ResponseStream(InvocationAddress(api, "request-1", invocation_id))


async def test_an_answer_is_posted_in_chunks_in_streaming_mode() -> None:
    with RecordingRuntimeApi() as api:
        stream = _stream(api.address)
        assert not stream.begun
        await stream.begin(b"prelude")
        await stream.write(b"one")
        await stream.write(b"two")
        await stream.finish()

        head = api.head.split("\r\n")
        assert head[0] == "POST /2018-06-01/runtime/invocation/request-1/response HTTP/1.1"
        assert "Lambda-Runtime-Function-Response-Mode: streaming" in head
        assert "Transfer-Encoding: chunked" in head
        assert "Content-Type: application/vnd.awslambda.http-integration-response" in head
        assert not any(line.startswith("Lambda-Runtime-Invocation-Id") for line in head)
        assert api.chunks == [b"prelude", b"one", b"two"]
        assert api.trailers == {}
        assert stream.closed


async def test_an_invocation_id_is_echoed() -> None:
    with RecordingRuntimeApi() as api:
        stream = _stream(api.address, "invocation-1")
        await stream.begin(b"prelude")
        await stream.finish()

        assert "Lambda-Runtime-Invocation-Id: invocation-1" in api.head.split("\r\n")


async def test_an_empty_piece_is_never_sent() -> None:
    with RecordingRuntimeApi() as api:
        stream = _stream(api.address)
        await stream.begin(b"prelude")
        await stream.write(b"")
        await stream.finish()

        assert api.chunks == [b"prelude"]


async def test_a_failed_answer_ends_with_error_trailers() -> None:
    with RecordingRuntimeApi() as api:
        stream = _stream(api.address)
        await stream.begin(b"prelude")
        await stream.fail("ValueError", base64.b64encode(b"{}").decode())

        assert api.chunks == [b"prelude"]
        assert api.trailers == {
            "Lambda-Runtime-Function-Error-Type": "ValueError",
            "Lambda-Runtime-Function-Error-Body": "e30=",
        }


@pytest.mark.parametrize("status", [403, 413])
async def test_a_refused_answer_is_an_error(status: int) -> None:
    with RecordingRuntimeApi(status) as api:
        stream = _stream(api.address)
        await stream.begin(b"prelude")
        with pytest.raises(RuntimeApiError, match="refused"):
            await stream.finish()


async def test_a_broken_connection_is_an_error() -> None:
    with RecordingRuntimeApi(status=0) as api:
        stream = _stream(api.address)
        await stream.begin(b"prelude")
        with pytest.raises(RuntimeApiError, match="end"):
            await stream.finish()
        with pytest.raises(RuntimeApiError, match="after the end"):
            await stream.write(b"more")


async def test_a_connection_that_breaks_under_a_long_answer_is_an_error() -> None:
    with RecordingRuntimeApi(status=0) as api:
        stream = _stream(api.address)
        await stream.begin(b"prelude")

        async def write_for_ever() -> None:
            while True:
                await stream.write(b"x" * 1_000_000)

        with pytest.raises(RuntimeApiError, match="write"):
            await write_for_ever()
        assert stream.closed
        with pytest.raises(RuntimeApiError, match="after the end"):
            await stream.finish()


async def test_a_missing_runtime_api_is_an_error_and_nothing_has_begun() -> None:
    with RecordingRuntimeApi() as api:
        address = api.address
    stream = _stream(address)

    with pytest.raises(RuntimeApiError, match="connect"):
        await stream.begin(b"prelude")
    assert not stream.begun


async def test_small_events_are_filled_up_where_that_is_asked_for() -> None:
    with RecordingRuntimeApi() as api:
        answer = StreamedAnswer(_stream(api.address), event_bytes_min=20)
        head = ResponseHead(200, (("content-type", "text/event-stream"),), ())
        await answer.begin(head, b"data: 1\n\n")
        await answer.write(b"half an ev")
        await answer.write(b"data: a long enough event\n\n")
        await answer.finish()

        first, half, long = api.chunks
        assert first.endswith(b"data: 1\n\n:" + b" " * 11 + b"\n\n")
        assert half == b"half an ev"
        assert long == b"data: a long enough event\n\n"


async def test_other_content_is_never_filled_up() -> None:
    with RecordingRuntimeApi() as api:
        answer = StreamedAnswer(_stream(api.address), event_bytes_min=20)
        await answer.begin(ResponseHead(200, (("content-type", "text/plain"),), ()), b"1\n\n")
        await answer.finish()

        assert api.chunks[0].endswith(b"\0" * 8 + b"1\n\n")


def test_the_margin_before_the_timeout_covers_every_clean_up() -> None:
    stopping_the_app = CANCEL_SECONDS_MAX
    ending_its_tasks = SETTLE_SECONDS_MAX + CANCEL_SECONDS_MAX

    assert stopping_the_app + ending_its_tasks + FAIL_SECONDS_MAX < DEADLINE_MARGIN_SECONDS
