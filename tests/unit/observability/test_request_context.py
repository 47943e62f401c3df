import asyncio
import math
from collections.abc import Mapping

import pytest

from shared.observability import request_context
from shared.observability.request_context import begin_request, correlation_id, correlation_id_from
from shared.observability.trace_context import TraceContext, is_trace_id
from tests.unit.observability import canaries

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-correlation-id": "client-1234"}, "client-1234"),
        ({"X-Request-Id": "abc.DEF_0-9"}, "abc.DEF_0-9"),
        ({"x-request-id": "second-in-line", "x-correlation-id": "first-in-line"}, "first-in-line"),
        ({"x-correlation-id": "short", "x-request-id": "long-enough"}, "long-enough"),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, None),
        ({"x-correlation-id": "a" * 65}, None),
        ({"x-correlation-id": "has blank"}, None),
        ({"x-correlation-id": 'quote"quote'}, None),
        ({"x-correlation-id": "line\nline-two"}, None),
        ({"x-correlation-id": 12345678}, None),
        ({}, None),
    ],
)
def test_a_callers_id_is_taken_if_well_formed(
    headers: Mapping[str, object], expected: str | None
) -> None:
    assert correlation_id_from(headers) == expected


@pytest.mark.parametrize("name", canaries.ALONE)
def test_a_secret_is_never_taken_for_a_correlation_id(name: str) -> None:
    secret = canaries.ALONE[name]

    assert correlation_id_from({"x-correlation-id": secret[:64], "x-request-id": secret}) is None


def test_a_trace_taken_over_names_a_request_that_no_id_names() -> None:
    trace = TraceContext(TRACE, "00f067aa0ba902b7", sampled=True)

    with begin_request(function="f", trace=trace) as unnamed:
        assert unnamed.correlation_id == TRACE
    with begin_request(function="f", trace=trace, correlation_id="request-1") as named:
        assert (named.correlation_id, named.trace) == ("request-1", trace)


def test_a_trace_that_begins_here_has_the_correlation_id_where_that_can_be() -> None:
    with (
        begin_request(function="f") as invented,
        begin_request(function="f", correlation_id="request-1") as named,
    ):
        assert invented.trace == TraceContext(invented.correlation_id)
        assert is_trace_id(named.trace.trace_id)


def test_outside_a_request_there_is_no_id_and_no_deadline() -> None:
    request_context.note(status=200)

    assert correlation_id() == "none"
    assert request_context.remaining_seconds() == math.inf
    assert request_context.current() is None


def test_a_deadline_runs_down_and_stops_at_zero() -> None:
    with begin_request(function="f", remaining_seconds=30.0):
        assert 0 < request_context.remaining_seconds() <= 30.0
    with begin_request(function="f", remaining_seconds=-5.0):
        assert request_context.remaining_seconds() == 0.0


def test_a_new_id_is_made_for_every_request_that_brings_none() -> None:
    seen = set()
    for _ in range(3):
        with begin_request(function="f"):
            seen.add(correlation_id())

    assert len(seen) == 3
    assert all(correlation_id_from({"x-request-id": made}) == made for made in seen)


async def test_concurrent_requests_and_the_threads_they_start_see_their_own_id() -> None:
    everyone_in = asyncio.Barrier(20)

    async def request(number: int) -> tuple[str, str, str]:
        with begin_request(function="f", correlation_id=f"request-{number}"):
            await everyone_in.wait()
            child = await asyncio.create_task(_read())
            return correlation_id(), child, await asyncio.to_thread(correlation_id)

    async with asyncio.timeout(10):
        seen = await asyncio.gather(*(request(number) for number in range(20)))

    assert seen == [(f"request-{n}",) * 3 for n in range(20)]
    assert correlation_id() == "none"


async def _read() -> str:
    return correlation_id()
