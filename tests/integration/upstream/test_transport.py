"""One exchange with a server that behaves badly: bounded in time and size, nothing followed."""

import asyncio
import gzip
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from scripts.fake_drupal.running import running_fake_drupal
from shared.domain.connection_lives import ConnectionLife
from shared.observability import request_context
from shared.upstream import transport
from shared.upstream.answers import Answer
from shared.upstream.failures import (
    UpstreamAnswerInvalidError,
    UpstreamMisconfiguredError,
    UpstreamTimeoutError,
    UpstreamUnavailableError,
)
from shared.upstream.transport import PooledTransport, TransportLimits, within
from tests.support.scripted_site import HANG, http, scripted_site

LIMITS = TransportLimits(connect_timeout_seconds=0.5, answer_bytes_max=1_000)


async def post(url: str, *, timeout_seconds: float = 5.0) -> Answer:
    pool = PooledTransport(LIMITS)
    try:
        return await pool.post(
            url, content=b"{}", headers={"X-Own": "1"}, timeout_seconds=timeout_seconds
        )
    finally:
        await pool.close()


async def test_an_answer_is_reduced_to_what_classification_reads() -> None:
    headers = {"WWW_Authenticate": "Bearer", "Retry_After": "3", "Set_Cookie": "SECRET=1"}
    async with scripted_site(http(401, "body", **headers)) as site:
        answer = await post(site.url)

    assert answer == Answer(status=401, challenge="Bearer", retry_after="3", body=b"body")


async def test_a_request_carries_the_correlation_id_and_asks_for_plain_bytes() -> None:
    async with scripted_site(http(200)) as site:
        with request_context.begin_request(function="test", correlation_id="abc-12345678"):
            await post(site.url)

    head = site.requests[0].lower()
    assert b"x-correlation-id: abc-12345678" in head
    assert head.count(b"traceparent: 00-") == 1
    assert b"tracestate" not in head
    assert b"accept-encoding: identity" in head
    assert b"cookie" not in head


async def test_a_redirect_is_not_followed() -> None:
    async with scripted_site(http(302, Location="/core/install.php")) as site:
        answer = await post(site.url)

    assert answer.status == 302
    assert len(site.requests) == 1


async def test_cookies_of_one_answer_do_not_reach_the_next_request() -> None:
    async with scripted_site(http(200, Set_Cookie="SESS=1")) as site:
        pool = PooledTransport(LIMITS)
        for _ in range(2):
            await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        await pool.close()

    assert site.connections == 1
    assert b"SESS" not in site.requests[1]


@pytest.mark.parametrize(
    "answer",
    [
        http(200, b"x" * 1_001),
        b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 100_000,
        http(200, gzip.compress(b"x" * 1_000_000), Content_Encoding="gzip"),
    ],
    ids=["declared", "endless", "compressed"],
)
async def test_an_answer_that_is_too_large_is_given_up(answer: bytes) -> None:
    async with scripted_site(answer) as site:
        with pytest.raises(UpstreamAnswerInvalidError) as caught:
            await post(site.url)

    assert caught.value.sent


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf",
        b"SSH-2.0-OpenSSH\r\n",
        b"\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    ],
    ids=["truncated", "no http", "empty", "bad chunk"],
)
async def test_what_is_no_http_is_an_outage_in_doubt(answer: bytes) -> None:
    async with scripted_site(answer) as site:
        with pytest.raises(UpstreamUnavailableError) as caught:
            await post(site.url)

    assert caught.value.sent


async def test_a_server_that_says_nothing_is_waited_for_so_long_and_no_longer() -> None:
    async with scripted_site(HANG) as site:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeoutError) as caught:
            await post(site.url, timeout_seconds=0.2)

    assert caught.value.sent
    assert time.monotonic() - started < 5


async def test_a_body_that_trickles_does_not_extend_the_time() -> None:
    async def trickle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n")
        while not reader.at_eof():
            writer.write(b"x")
            try:
                await asyncio.wait_for(reader.read(), 0.02)
            except TimeoutError:
                continue
        writer.close()

    server = await asyncio.start_server(trickle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    with pytest.raises(UpstreamTimeoutError):
        await post(url, timeout_seconds=0.3)
    server.close()
    await server.wait_closed()


async def test_a_refused_connection_is_known_not_to_have_sent_anything() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
    with pytest.raises(UpstreamUnavailableError) as caught:
        await post(f"http://127.0.0.1:{port}")

    assert not caught.value.sent


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "http://"])
async def test_an_address_that_is_none_is_a_fault_of_the_configuration(url: str) -> None:
    with pytest.raises(UpstreamMisconfiguredError):
        await post(url)


async def test_connections_are_kept_but_not_over_a_freeze(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with scripted_site(http(200)) as site:
        pool = PooledTransport(LIMITS)
        for _ in range(2):
            await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        assert site.connections == 1

        monkeypatch.setattr(transport, "KEPT_IDLE_SECONDS_MAX", -1.0)
        await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        assert site.connections == 2
        await pool.close()


async def test_after_a_restore_a_new_connection_is_made() -> None:
    async with scripted_site(http(200)) as site:
        pool = PooledTransport(LIMITS)
        await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        before = pool._pool
        pool.drop_connections()
        await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        await pool.close()
        assert before is not None
        await before.client.aclose()

    assert site.connections == 2


async def test_at_the_deadline_an_answer_that_has_arrived_is_still_taken() -> None:
    arrived = asyncio.Event()

    async def exchange() -> str:
        await arrived.wait()
        return "answer"

    asyncio.get_running_loop().call_soon(arrived.set)

    assert await within(exchange(), 0) == "answer"


async def test_a_cancelled_wait_leaves_no_task_behind() -> None:
    before = asyncio.all_tasks()
    waiting = asyncio.create_task(within(asyncio.sleep(60), 60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting

    assert asyncio.all_tasks() == before


class _KeepsConnections(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_arguments: object) -> None:
        """Nothing to say."""


@pytest.fixture
def site_of_no_loop() -> Iterator[str]:
    """A server that lives beside every event loop of a test."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _KeepsConnections) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def test_a_transport_goes_on_when_its_event_loop_was_replaced(site_of_no_loop: str) -> None:
    """A loop with a task that refuses to end is given up between two requests."""
    pool = PooledTransport(LIMITS)

    async def ask() -> int:
        answer = await pool.post(site_of_no_loop, content=b"", headers={}, timeout_seconds=5)
        return answer.status

    with asyncio.Runner() as given_up, asyncio.Runner() as current:
        assert given_up.run(ask()) == 200
        left_behind = pool._pool
        try:
            assert current.run(ask()) == 200
        finally:
            current.run(pool.close())
            assert left_behind is not None
            given_up.run(left_behind.client.aclose())


async def test_connections_to_the_site_are_replaced_after_so_many_uses() -> None:
    limits = replace(LIMITS, connection_life=ConnectionLife(uses_max=4, seconds_max=60))
    async with scripted_site(http(200)) as site:
        pool = PooledTransport(limits)
        for _ in range(12):
            await pool.post(site.url, content=b"", headers={}, timeout_seconds=5)
        await pool.close()

    assert 3 <= site.connections <= 4


async def test_a_worn_out_pool_lets_its_requests_end_and_then_closes() -> None:
    limits = replace(LIMITS, connection_life=ConnectionLife(uses_max=1, seconds_max=60))
    async with running_fake_drupal(6) as site:
        pool = PooledTransport(limits)
        gate = site.control.hold(route="jsonrpc")

        async def ask() -> int:
            answer = await pool.get(f"{site.url}/jsonrpc", headers={}, timeout_seconds=5)
            return answer.status

        held = asyncio.create_task(ask())
        await gate.reached()
        old = pool._pool
        other = await ask()
        gate.release()
        first = await held
        assert old is not None
        assert old is not pool._pool
        assert old.client.is_closed
        await pool.close()

    assert first == other
