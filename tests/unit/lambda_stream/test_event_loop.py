import asyncio
import contextlib
import contextvars
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from shared.lambda_stream import event_loop


@pytest.fixture(autouse=True)
def _fresh_loop() -> Iterator[None]:
    event_loop.discard()
    yield
    event_loop.discard()


async def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


def test_every_run_uses_the_same_loop() -> None:
    assert event_loop.run(_loop()) is event_loop.run(_loop()) is event_loop.current()


def test_a_run_from_another_thread_uses_the_same_loop() -> None:
    seen: list[asyncio.AbstractEventLoop] = []
    thread = threading.Thread(target=lambda: seen.append(event_loop.run(_loop())))
    thread.start()
    thread.join()

    assert seen == [event_loop.current()]


async def test_a_run_from_within_another_loop_uses_the_persistent_one() -> None:
    assert event_loop.run(_loop()) is event_loop.current() is not asyncio.get_running_loop()


async def test_context_variables_reach_a_run_from_within_another_loop() -> None:
    variable = contextvars.ContextVar[str]("variable")
    variable.set("value")

    async def read() -> str:
        return variable.get()

    assert event_loop.run(read()) == "value"


async def _fail() -> None:
    raise ValueError("broken")


def test_an_exception_reaches_the_caller() -> None:
    with pytest.raises(ValueError, match="broken"):
        event_loop.run(_fail())


async def test_an_exception_reaches_a_caller_within_another_loop() -> None:
    with pytest.raises(ValueError, match="broken"):
        event_loop.run(_fail())


def test_a_run_from_the_persistent_loop_itself_is_refused() -> None:
    async def nested() -> None:
        coroutine = _loop()
        try:
            event_loop.run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match="already"):
        event_loop.run(nested())


async def _leave(task_ends: "asyncio.Future[None] | None" = None) -> asyncio.Task[Any]:
    async def wait() -> None:
        await (task_ends or asyncio.get_running_loop().create_future())

    return asyncio.create_task(wait())


def test_a_task_left_behind_is_cancelled() -> None:
    task = event_loop.run(_leave())

    assert task.cancelled()


def test_a_task_that_is_about_to_end_is_not_cancelled() -> None:
    async def leave_one_that_ends() -> asyncio.Task[Any]:
        return asyncio.create_task(asyncio.sleep(0.01))

    task = event_loop.run(leave_one_that_ends())

    assert task.done()
    assert not task.cancelled()


def test_a_task_stays_where_it_is_asked_for() -> None:
    task = event_loop.run(_leave(), keep_tasks=True)
    event_loop.run(_loop())

    assert not task.done()


def test_a_loop_with_a_task_that_refuses_to_end_is_given_up() -> None:
    loop = event_loop.current()
    enough = threading.Event()

    async def refuse() -> None:
        while not enough.is_set():
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.get_running_loop().create_future()

    async def leave() -> asyncio.Task[None]:
        task = asyncio.create_task(refuse())
        await asyncio.sleep(0)
        return task

    task = event_loop.run(leave())

    assert event_loop.current() is not loop
    enough.set()
    task.cancel()
    loop.run_until_complete(task)
    loop.close()


def test_discarding_ends_kept_tasks_and_makes_room_for_a_new_loop() -> None:
    loop = event_loop.current()
    task = event_loop.run(_leave(), keep_tasks=True)

    event_loop.discard()

    assert task.cancelled()
    assert loop.is_closed()
    assert event_loop.run(_loop()) is not loop


def test_discarding_nothing_is_fine() -> None:
    event_loop.discard()
    event_loop.discard()


def test_a_handler_that_drives_a_loop_drives_the_persistent_one() -> None:
    @event_loop.on_event_loop
    def handler(event: dict[str, str], context: object) -> asyncio.Task[Any]:
        """Handle."""
        loop = asyncio.get_event_loop()
        assert loop is event_loop.current()
        return loop.run_until_complete(_leave())

    assert handler({}, None).cancelled()
    assert handler.__doc__ == "Handle."
