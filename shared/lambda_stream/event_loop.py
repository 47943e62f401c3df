"""One asyncio event loop per execution environment, on which every invocation runs.

Connections and locks belong to the loop that made them, so a loop per invocation would throw them
away; but no task may outlive its invocation, because the environment is frozen in between. The
loop never runs in a thread of its own: thread-local state of decorators stays visible.
"""

import asyncio
import contextvars
import functools
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, ParamSpec, TypeVar

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from shared.observability.logging import log

T = TypeVar("T")
P = ParamSpec("P")

SETTLE_SECONDS_MAX = 0.5
"""How long tasks an invocation started may finish by themselves after it ended."""
CANCEL_SECONDS_MAX = 0.5
"""How long tasks may take to end once they are cancelled."""

_lock = threading.RLock()
_loop: asyncio.AbstractEventLoop | None = None


def current() -> asyncio.AbstractEventLoop:
    """The persistent loop, made on first use and again after a restore or ``discard``."""
    global _loop  # noqa: PLW0603 - the one loop of this environment
    with _lock:
        if _loop is None or _loop.is_closed():
            _loop = asyncio.new_event_loop()
        return _loop


def run(coroutine: Coroutine[Any, Any, T], *, keep_tasks: bool = False) -> T:
    """Run ``coroutine`` to its end on the persistent loop and return its result.

    Tasks it leaves behind get ``SETTLE_SECONDS_MAX`` to finish and are then cancelled, unless
    ``keep_tasks`` says that they serve later invocations too (an ASGI lifespan). Callable from
    any thread; calls take turns. Called from within another running loop it blocks that loop.

    Raises:
        RuntimeError: called by what already runs on the persistent loop.
    """
    return _in_turn(functools.partial(_run, coroutine, keep_tasks=keep_tasks))


def on_event_loop(handler: Callable[P, T]) -> Callable[P, T]:
    """Decorate a handler that drives an event loop itself (Mangum) to drive the persistent one.

    Inside, ``asyncio.get_event_loop()`` answers the persistent loop; afterwards no task is left.
    """

    @functools.wraps(handler, updated=())
    def on_loop(*args: P.args, **kwargs: P.kwargs) -> T:
        return _in_turn(functools.partial(_call, functools.partial(handler, *args, **kwargs)))

    return on_loop


def discard() -> None:
    """End every task and close the loop; the next ``run`` makes a new one.

    Registered to run before a snapshot is taken: sockets and clocks of a loop must not be in it.
    Whoever keeps connections opened on the old loop drops them in a restore hook of their own.
    """
    global _loop
    with _lock:
        loop, _loop = _loop, None
        if loop is None or loop.is_closed():
            return
        _end_tasks(loop, asyncio.all_tasks(loop), settle_seconds=0)
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


snapshot_restore_py.register_before_snapshot(discard)


def _in_turn(call: Callable[[], T]) -> T:
    running = asyncio._get_running_loop()  # noqa: SLF001 - documented, the only probe without a raise
    if running is None:
        with _lock:
            return call()
    if running is _loop:
        # It would wait for itself for ever.
        raise RuntimeError("already on the persistent event loop")
    return _in_own_thread(call)


def _in_own_thread(call: Callable[[], T]) -> T:
    """A thread cannot run two loops at once: a caller inside a loop waits for another thread."""
    outcome: Future[T] = Future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            with _lock:
                outcome.set_result(context.run(call))
        except BaseException as error:  # noqa: BLE001 - handed to the caller as it is
            outcome.set_exception(error)

    thread = threading.Thread(target=work, name="event-loop", daemon=True)
    thread.start()
    thread.join()
    return outcome.result()


def _run(coroutine: Coroutine[Any, Any, T], *, keep_tasks: bool) -> T:
    loop = current()
    before = asyncio.all_tasks(loop)
    try:
        return loop.run_until_complete(coroutine)
    finally:
        if not keep_tasks:
            _leave_no_task(loop, before)


def _call(call: Callable[[], T]) -> T:
    loop = current()
    before = asyncio.all_tasks(loop)
    asyncio.set_event_loop(loop)
    try:
        return call()
    finally:
        asyncio.set_event_loop(None)
        _leave_no_task(loop, before)


def _leave_no_task(loop: asyncio.AbstractEventLoop, before: set[asyncio.Task[Any]]) -> None:
    """End what an invocation left; a loop with a task that refuses to end is given up."""
    global _loop  # noqa: PLW0603 - the one loop of this environment
    stray = asyncio.all_tasks(loop) - before
    if stray and _end_tasks(loop, stray, settle_seconds=SETTLE_SECONDS_MAX):
        log.error("a task refused to be cancelled, its event loop is given up")
        _loop = None


def _names(tasks: set[asyncio.Task[Any]]) -> list[str]:
    return sorted(getattr(task.get_coro(), "__qualname__", "unknown") for task in tasks)


def _end_tasks(
    loop: asyncio.AbstractEventLoop, tasks: set[asyncio.Task[Any]], *, settle_seconds: float
) -> set[asyncio.Task[Any]]:
    """Wait for ``tasks``, then cancel them; the ones that still run are returned.

    Waiting comes first: a task inside another's task group would take the group down with it
    when cancelled from outside.
    """
    if not tasks:
        return set()
    pending = tasks
    if settle_seconds:
        _, pending = loop.run_until_complete(asyncio.wait(tasks, timeout=settle_seconds))
    for task in pending:
        task.cancel()
    if pending:
        if settle_seconds:
            # Each invocation waits for such a task in vain; it belongs into the app's lifespan.
            log.warning("tasks outlived their invocation", tasks=_names(pending))
        _, pending = loop.run_until_complete(asyncio.wait(pending, timeout=CANCEL_SECONDS_MAX))
    return pending
