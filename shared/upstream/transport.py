"""HTTP towards the Drupal site: bounded in time and size, never following a redirect.

Nothing of a request or an answer may end up in an exception's text, and no header of the site
leaves this room.
"""

import asyncio
import functools
import secrets
import ssl
import time
from collections.abc import AsyncIterator, Coroutine, Iterator, Mapping
from contextlib import (
    AbstractContextManager,
    asynccontextmanager,
    contextmanager,
    nullcontext,
)
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx2

from shared.domain.connection_lives import ConnectionLife
from shared.errors.base import ServiceError
from shared.observability import metrics, recovery, stopwatch, tracing
from shared.observability.metrics import MetricName
from shared.observability.request_context import correlation_id
from shared.observability.spans import SpanName
from shared.observability.trace_context import TRACEPARENT
from shared.observability.tracing import span
from shared.upstream import failures
from shared.upstream.answers import Answer

T = TypeVar("T")

# Not `random`: environments that wake up from one snapshot would draw the same numbers.
_random = secrets.SystemRandom()
_ORDINARY_LIFE = ConnectionLife()

CORRELATION_HEADER = "X-Correlation-Id"
USER_AGENT = "drupalize-mcp"
CONNECTIONS_MAX = 20
"""Per process: as many people as one environment may serve at once, with room to spare."""
KEPT_IDLE_SECONDS_MAX = 30.0
"""Idle connections are not used after this long: a frozen environment does not see them die."""
LAST_LOOK_SECONDS = 0.05
"""At the deadline the socket is read once more: after a freeze the answer may be there already."""
CANCEL_SECONDS_MAX = 1.0

_DEPENDENCIES = {
    SpanName.UPSTREAM_RPC: "drupal_rpc",
    SpanName.UPSTREAM_OAUTH: "drupal_oauth",
}

# A cookie kept from one person's answer would travel with the next person's request.
_KEPT = frozenset({"content-length", "content-type", "retry-after", "www-authenticate"})


class AnswerTooLargeError(httpx2.TransportError):
    """The answer is larger than allowed, or compressed although that was not asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TransportLimits:
    """What one exchange may cost."""

    connect_timeout_seconds: float = 1.0
    answer_bytes_max: int = 5_000_000
    connection_life: ConnectionLife = _ORDINARY_LIFE


class _CappedStream(httpx2.AsyncByteStream):
    def __init__(self, stream: httpx2.AsyncByteStream, bytes_max: int) -> None:
        self._stream = stream
        self._bytes_left = bytes_max

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._stream:
            self._bytes_left -= len(chunk)
            if self._bytes_left < 0:
                raise AnswerTooLargeError("the answer is too large")
            yield chunk

    async def aclose(self) -> None:
        await self._stream.aclose()


class CappedTransport(httpx2.AsyncBaseTransport):
    """A transport that stops reading at ``answer_bytes_max`` and refuses to decompress.

    It drops all headers of the site but those that we read. A compressed answer would be counted
    before and kept after its expansion.
    """

    def __init__(self, limits: TransportLimits, *, connections_max: int) -> None:
        self._bytes_max = limits.answer_bytes_max
        self._wrapped = httpx2.AsyncHTTPTransport(
            verify=_tls(),
            trust_env=False,
            http1=True,
            http2=False,
            retries=0,
            limits=httpx2.Limits(
                max_connections=connections_max,
                max_keepalive_connections=connections_max,
                keepalive_expiry=KEPT_IDLE_SECONDS_MAX,
            ),
        )

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send one request; the answer's body is still to be read."""
        request.headers["Accept-Encoding"] = "identity"
        request.headers[CORRELATION_HEADER] = correlation_id()
        trace = tracing.traceparent()
        if trace is not None:
            request.headers[TRACEPARENT] = trace
        response = await self._wrapped.handle_async_request(request)
        encoding = response.headers.get("content-encoding", "identity").lower()
        if encoding != "identity" or not isinstance(response.stream, httpx2.AsyncByteStream):
            await response.aclose()
            raise AnswerTooLargeError("the answer is compressed")
        return httpx2.Response(
            response.status_code,
            headers=[(name, value) for name, value in response.headers.items() if name in _KEPT],
            stream=_CappedStream(response.stream, self._bytes_max),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close every connection."""
        await self._wrapped.aclose()


@functools.cache
def _tls() -> ssl.SSLContext:
    """Made once: reading the system's certificates takes longer than a handshake."""
    return httpx2.create_ssl_context(trust_env=False)


def prepare() -> None:
    """Load ahead what the first exchange takes: code and certificates; opens nothing."""
    CappedTransport(TransportLimits(), connections_max=1)


def timeouts(limits: TransportLimits, timeout_seconds: float) -> httpx2.Timeout:
    """Per-operation timeouts; the whole exchange is bounded by ``within``."""
    connect = min(limits.connect_timeout_seconds, timeout_seconds)
    return httpx2.Timeout(timeout_seconds, connect=connect, pool=connect)


def as_answer(response: httpx2.Response) -> Answer:
    """What classification needs of a response that has been read; the rest is dropped."""
    return Answer(
        status=response.status_code,
        challenge=response.headers.get("www-authenticate", ""),
        retry_after=response.headers.get("retry-after", ""),
        body=response.content,
    )


@contextmanager
def map_httpx_errors() -> Iterator[None]:
    """Turn the driver's errors into ours.

    Raises:
        UpstreamTimeoutError, UpstreamUnavailableError, UpstreamAnswerInvalidError: with ``sent``
            False only where no byte of the request can have left.
    """
    try:
        yield
    except (httpx2.ConnectTimeout, httpx2.PoolTimeout) as error:
        raise failures.UpstreamTimeoutError(_fact(error), sent=False) from error
    except (httpx2.ConnectError, httpx2.ProxyError) as error:
        raise failures.UpstreamUnavailableError(_fact(error), sent=False) from error
    except httpx2.TimeoutException as error:
        raise failures.UpstreamTimeoutError(_fact(error)) from error
    except AnswerTooLargeError as error:
        raise failures.UpstreamAnswerInvalidError(_fact(error)) from error
    except (httpx2.UnsupportedProtocol, httpx2.InvalidURL, httpx2.LocalProtocolError) as error:
        raise failures.UpstreamMisconfiguredError(_fact(error)) from error
    except httpx2.HTTPError as error:
        raise failures.UpstreamUnavailableError(_fact(error)) from error


def _fact(error: Exception) -> dict[str, str]:
    return {"driver_error": type(error).__name__}


async def within(exchange: Coroutine[Any, Any, T], timeout_seconds: float) -> T:
    """The result of ``exchange``, waited for at most ``timeout_seconds`` and one last look.

    Raises:
        UpstreamTimeoutError: the time is up; the request may have been processed.
    """
    task = asyncio.create_task(exchange)
    try:
        done, _ = await asyncio.wait({task}, timeout=max(timeout_seconds, 0))
        if not done:
            done, _ = await asyncio.wait({task}, timeout=LAST_LOOK_SECONDS)
        if not done:
            raise failures.UpstreamTimeoutError({"driver_error": "total"})
        return task.result()
    finally:
        await _end(task)


async def _end(task: asyncio.Task[Any]) -> None:
    if not task.done():
        task.cancel()
        await asyncio.wait({task}, timeout=CANCEL_SECONDS_MAX)
    if task.done() and not task.cancelled():
        task.exception()  # looked at, or the loop would log the request it holds


def _fault_watched(name: SpanName) -> AbstractContextManager[None]:
    dependency = _DEPENDENCIES.get(name)
    return nullcontext() if dependency is None else recovery.watched(dependency)


@contextmanager
def observed(name: SpanName, operation: str) -> Iterator[None]:
    """Span, count and duration of one exchange; ``operation`` is a word of ours, not a value."""
    started = time.perf_counter()
    outcome = "ok"
    try:
        with span(name, operation=operation), _fault_watched(name), stopwatch.elsewhere():
            yield
    except ServiceError as error:
        outcome = error.code.value
        raise
    except BaseException:
        outcome = "interrupted"
        raise
    finally:
        milliseconds = (time.perf_counter() - started) * 1000
        metrics.count(MetricName.UPSTREAM_CALLS, operation=operation, outcome=outcome)
        metrics.duration(MetricName.UPSTREAM_DURATION, milliseconds, operation=operation)


class _Pool:
    """A client with its connections, how long and how often they have been used, and by how many.

    The wall clock sees a freeze of the environment, which the pool's own clock may not.
    """

    def __init__(self, client: httpx2.AsyncClient, *, life: ConnectionLife) -> None:
        self.client = client
        self.under_way = 0
        self._life = life
        self._uses = 0
        self._opened_at = self._used_at = time.time()

    def begin(self) -> None:
        """One more request is under way."""
        self.under_way += 1
        self._uses += 1
        self._used_at = time.time()

    def is_stale(self) -> bool:
        """Whether it rested too long, or has served long enough."""
        now = time.time()
        rested = abs(now - self._used_at) > KEPT_IDLE_SECONDS_MAX
        age_seconds = abs(now - self._opened_at)
        return rested or self._life.is_over(age_seconds=age_seconds, uses=self._uses)


class PooledTransport:
    """Keeps connections for calls that may share them, and starts afresh in a new event loop."""

    def __init__(self, limits: TransportLimits) -> None:
        self._limits = limits
        self._pool: _Pool | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    async def post(
        self, url: str, *, content: bytes, headers: Mapping[str, str], timeout_seconds: float
    ) -> Answer:
        """POST ``content``; the whole answer is read before anything is returned.

        Raises:
            UpstreamUnavailableError, UpstreamTimeoutError, UpstreamAnswerInvalidError.
        """
        return await self._exchange(
            "POST", url, content=content, headers=headers, timeout_seconds=timeout_seconds
        )

    async def get(self, url: str, *, headers: Mapping[str, str], timeout_seconds: float) -> Answer:
        """GET, for what the site offers in no other way; otherwise as ``post``."""
        return await self._exchange(
            "GET", url, content=None, headers=headers, timeout_seconds=timeout_seconds
        )

    async def _exchange(
        self,
        method: str,
        url: str,
        *,
        content: bytes | None,
        headers: Mapping[str, str],
        timeout_seconds: float,
    ) -> Answer:
        async with self._fresh_pool() as pool:
            with map_httpx_errors():
                response = await within(
                    pool.client.request(
                        method,
                        url,
                        content=content,
                        headers=dict(headers),
                        timeout=timeouts(self._limits, timeout_seconds),
                    ),
                    timeout_seconds,
                )
            return as_answer(response)

    @asynccontextmanager
    async def _fresh_pool(self) -> AsyncIterator[_Pool]:
        """The pool of connections for one request; another one where it is worn out.

        A pool that is given up is closed by its last request: others may be under way.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:
            # Connections belong to the loop that opened them; in another they cannot even close.
            self._loop, self._pool = loop, None
        if self._pool is not None and self._pool.is_stale():
            stale, self._pool = self._pool, None
            if not stale.under_way:
                await stale.client.aclose()
        pool = self._pool = self._pool or self._new_pool()
        pool.begin()
        try:
            yield pool
        finally:
            pool.under_way -= 1
            if pool is not self._pool and not pool.under_way and self._loop is loop:
                await pool.client.aclose()

    def _new_pool(self) -> _Pool:
        return _Pool(
            httpx2.AsyncClient(
                transport=CappedTransport(self._limits, connections_max=CONNECTIONS_MAX),
                headers={"User-Agent": USER_AGENT, "Accept": "application/json"},
                follow_redirects=False,
                trust_env=False,
            ),
            life=self._limits.connection_life.drawn(_random.random()),
        )

    def drop_connections(self) -> None:
        """Forget every connection without touching it: after a restore they belong to nobody."""
        self._pool = self._loop = None

    async def close(self) -> None:
        """Close every connection."""
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.client.aclose()
