"""The lifespan of an ASGI app: entered once per environment, kept between invocations.

It must not be entered before the first invocation, because what it opens may not be part of a
snapshot; a restored environment enters it anew.
"""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from shared.lambda_stream import event_loop

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
AsgiApp = Callable[[MutableMapping[str, Any], Receive, Send], Awaitable[None]]


class LifespanError(Exception):
    """The app's lifespan could not be entered; this environment cannot serve."""


class Lifespan:
    """Keeps an app's lifespan entered on the persistent event loop."""

    def __init__(self, app: AsgiApp) -> None:
        self._app = app
        self._task: asyncio.Task[None] | None = None
        self.state: dict[str, Any] = {}

    @property
    def entered(self) -> bool:
        """Whether the lifespan is alive on the loop in use."""
        task = self._task
        return task is not None and not task.done() and task.get_loop() is event_loop.current()

    def enter(self, *, timeout_seconds: float) -> None:
        """Enter the lifespan unless it is entered.

        Raises:
            LifespanError: the app refused, crashed or took too long to start.
        """
        if not self.entered:
            event_loop.run(self._start(timeout_seconds), keep_tasks=True)

    async def _start(self, timeout_seconds: float) -> None:
        self.state = {}
        outcome: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._task = asyncio.create_task(self._serve(outcome))
        awaited: set[asyncio.Future[Any]] = {self._task, outcome}
        done, _ = await asyncio.wait(
            awaited, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED
        )
        if outcome.done() and outcome.result()["type"] == "lifespan.startup.complete":
            return
        self._task.cancel()
        await asyncio.wait({self._task}, timeout=event_loop.CANCEL_SECONDS_MAX)
        raise LifespanError("timeout" if not done else "startup") from self._failure()

    def _failure(self) -> BaseException | None:
        task = self._task
        if task is None or not task.done() or task.cancelled():
            return None
        return task.exception()

    async def _serve(self, outcome: "asyncio.Future[Message]") -> None:
        started = False

        async def receive() -> Message:
            nonlocal started
            if not started:
                started = True
                return {"type": "lifespan.startup"}
            # There is no shutdown on Lambda: the environment is frozen, then gone.
            never: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
            return await never

        async def send(message: Message) -> None:
            if not outcome.done():
                outcome.set_result(message)

        scope = {
            "type": "lifespan",
            "asgi": {"version": "3.0", "spec_version": "2.0"},
            "state": self.state,
        }
        await self._app(scope, receive, send)
