import asyncio

import pytest

from scripts.lambda_emulator.invocation import QUEUED_CHUNKS_MAX, FunctionError, Invocation


def _invocation() -> Invocation:
    return Invocation(b"{}", "arn:function", 30.0)


async def test_an_answer_comes_out_as_it_went_in() -> None:
    invocation = _invocation()
    for chunk in (b"a", b"b"):
        await invocation.feed(chunk)
    await invocation.end()

    assert await invocation.collect() == b"ab"


async def test_a_slow_reader_holds_the_function_back() -> None:
    invocation = _invocation()
    for _ in range(QUEUED_CHUNKS_MAX):
        await invocation.feed(b"x")
    one_more = asyncio.create_task(invocation.feed(b"y"))
    await asyncio.sleep(0)
    assert not one_more.done()

    assert await anext(invocation.chunks()) == b"x"
    await asyncio.wait_for(one_more, 10)


async def test_what_came_before_a_failure_is_read_before_the_failure() -> None:
    invocation = _invocation()
    await invocation.feed(b"part")
    await invocation.end(FunctionError("ValueError"))
    chunks = invocation.chunks()

    assert await anext(chunks) == b"part"
    with pytest.raises(FunctionError, match="ValueError"):
        await anext(chunks)


async def test_the_first_end_counts_and_nothing_follows_it() -> None:
    invocation = _invocation()
    await invocation.end()
    await invocation.end(FunctionError("late"))
    await invocation.feed(b"late")

    assert await invocation.collect() == b""


def test_the_runtime_is_told_the_deadline_and_the_request() -> None:
    headers = dict(_invocation().runtime_headers())

    assert headers["Lambda-Runtime-Invoked-Function-Arn"] == "arn:function"
    assert int(headers["Lambda-Runtime-Deadline-Ms"]) > 0
    assert len(headers["Lambda-Runtime-Aws-Request-Id"]) == 36
