"""Simulated processes: the tasks of one go on only when it is let, and never again once it is dead.

A crash abandons every coroutine where it stands, so that no ``finally`` of it ever runs, and shuts
its sockets down as the kernel does for a dead process.
"""

import asyncio
import contextlib
import contextvars
import ctypes
import os
import socket
from collections.abc import Callable, Coroutine, Generator
from typing import Any, TypeVar
from uuid import UUID

T = TypeVar("T")

_process: contextvars.ContextVar["SimulatedProcess | None"] = contextvars.ContextVar(
    "simulated_process", default=None
)


def current_process() -> "SimulatedProcess | None":
    """The simulated process whose code runs."""
    return _process.get()


class SimulatedProcess:
    """One process in which one coroutine is run, a step at a time.

    A step is the way of one of its tasks from one suspension to the next.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps = 0
        self.dead = False
        self.attempt_id: UUID | None = None
        self._buried = False
        self._permits = 0
        self._at_gate: list[asyncio.Future[None]] = []
        self._tasks: set[asyncio.Task[Any]] = set()
        self._at_death: list[Callable[[], None]] = []
        self.watched: set[int] = set()
        """File descriptors of its own that the event loop watches."""
        self._main: asyncio.Task[Any] | None = None
        self._stands = asyncio.Event()

    def start(self, main: Coroutine[Any, Any, Any]) -> None:
        """Have ``main`` run in this process; it stands before its first step."""
        context = contextvars.copy_context()
        context.run(_process.set, self)
        loop = asyncio.get_running_loop()
        self._main = context.run(loop.create_task, main)
        self._main.add_done_callback(lambda _: self._stands.set())

    @property
    def finished(self) -> bool:
        """Whether its coroutine has come to an end by itself."""
        return self._main is not None and self._main.done() and not self.dead

    async def stands(self, *, within_seconds: float) -> bool:
        """Whether it has ended or used its permits up; False if it waits for something else."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_seconds):
                await self._stands.wait()
        return self._stands.is_set()

    def outcome(self) -> Any:
        """What its coroutine came to: its result, or the error that it raised."""
        assert self._main is not None
        return self._main.exception() or self._main.result()

    def permit(self, steps: int) -> None:
        """Let it do so many steps more."""
        self._permits += steps
        self._stands.clear()
        waiting, self._at_gate = self._at_gate, []
        for one in waiting:
            if not one.done():
                one.set_result(None)

    def forbid(self) -> None:
        """Let it do no more steps."""
        self._permits = 0

    def kill(self) -> None:
        """End it as SIGKILL does."""
        self.dead = True
        for task in self._tasks:
            # For ever: collected as garbage, a coroutine would run its ``finally`` after all.
            ctypes.pythonapi.Py_IncRef(ctypes.py_object(task.get_coro()))
        for cut in self._at_death:
            cut()
        loop = asyncio.get_running_loop()
        for number in list(self.watched):
            shut_down(number)
            # Nobody will read what comes: left alone, the loop would tell of it for ever.
            loop.remove_reader(number)
            loop.remove_writer(number)

    def bury(self) -> None:
        """End what the event loop still knows of it; its coroutines stay as they were left."""
        if not (self.finished or self.dead):
            self.kill()
        self._buried = True
        for task in list(self._tasks):
            task.cancel()

    def at_death(self, cut: Callable[[], None]) -> None:
        """Have a connection of its own cut when it is killed."""
        self._at_death.append(cut)

    def adopt(self, task: asyncio.Task[Any]) -> None:
        """Take note of a task of its own."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def gate(self) -> asyncio.Future[None] | None:
        """What a task has to wait for before its next step; None if it may go on."""
        if self._buried:
            raise asyncio.CancelledError
        if not self.dead and self._permits > 0:
            self._permits -= 1
            self.steps += 1
            return None
        future = asyncio.get_running_loop().create_future()
        self._at_gate.append(future)
        self._stands.set()
        return next(future.__await__())  # type: ignore[no-any-return]  # marks it as awaited


class _Gated(Coroutine[Any, Any, T]):
    """A coroutine that asks its process before each of its steps."""

    def __init__(self, process: SimulatedProcess, inner: Coroutine[Any, Any, T]) -> None:
        self._process = process
        self._inner = inner
        self._thrown: BaseException | None = None

    def send(self, value: Any) -> Any:
        """One step, or the future to wait for."""
        future = self._process.gate()
        if future is not None:
            return future
        thrown, self._thrown = self._thrown, None
        return self._inner.send(value) if thrown is None else self._inner.throw(thrown)

    def throw(self, error: Any, *_: Any) -> Any:
        """As ``send``; the error gets through when the process may go on."""
        self._thrown = error
        return self.send(None)

    def close(self) -> None:
        """Nothing: a coroutine of a dead process stays where it is."""

    def __await__(self) -> Generator[Any, Any, T]:
        return self._inner.__await__()

    def __getattr__(self, name: str) -> Any:
        """What asyncio and anyio ask of a coroutine, such as ``cr_running``."""
        return getattr(self._inner, name)


class SteppedLoop(asyncio.SelectorEventLoop):
    """An event loop that knows which task and which connection belongs to which process."""

    def __init__(self) -> None:
        super().__init__()
        self.set_task_factory(_gated_task)

    def add_reader(  # type: ignore[override]  # of any shape
        self, fd: Any, callback: Any, *given: Any
    ) -> None:
        """As ever; the process under way watches it."""
        process = current_process()
        if process is not None:
            process.watched.add(fd)
        super().add_reader(fd, callback, *given)

    def remove_reader(self, fd: Any) -> Any:
        """As ever."""
        process = current_process()
        if process is not None:
            process.watched.discard(fd)
        return super().remove_reader(fd)

    async def create_connection(self, *given: Any, **named: Any) -> Any:
        """As ever; the process under way owns the socket."""
        transport, protocol = await super().create_connection(*given, **named)
        process = current_process()
        if process is not None:
            process.at_death(lambda: _cut(transport))
        return transport, protocol


def _gated_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **named: Any) -> asyncio.Task[Any]:
    process = current_process()
    if process is None:
        return asyncio.Task(coroutine, loop=loop, **named)
    task = asyncio.Task(_Gated(process, coroutine), loop=loop, **named)
    process.adopt(task)
    return task


def _cut(transport: asyncio.Transport) -> None:
    if not transport.is_closing():
        shut_down(transport.get_extra_info("socket").fileno())


def shut_down(number: int) -> None:
    """End the connection of a file descriptor on both sides, and leave the descriptor open."""
    with contextlib.suppress(OSError), socket.socket(fileno=os.dup(number)) as double:
        double.shutdown(socket.SHUT_RDWR)
