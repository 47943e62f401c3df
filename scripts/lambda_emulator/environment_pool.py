"""The environments of one function: found, started on demand, replaced when they die.

It must never hand one environment to two invocations at once.
"""

import asyncio
from pathlib import Path

from scripts.lambda_emulator.environment import Environment, InitError
from scripts.lambda_emulator.invocation import Invocation
from scripts.lambda_emulator.observer import Observer, Unobserved
from scripts.lambda_emulator.specification import FunctionSpec

XRAY_DAEMON = "AWS_XRAY_DAEMON_ADDRESS"
"""A function that is told of a daemon has all of its invocations traced."""


class ThrottledError(Exception):
    """Every environment the function may have is busy."""


class EnvironmentPool:
    """Runs invocations of one function in as few environments as will do."""

    def __init__(
        self, spec: FunctionSpec, log_file: Path, observer: Observer | None = None
    ) -> None:
        self._spec = spec
        self._observer = observer or Unobserved()
        self._log_file = log_file
        self._idle: list[Environment] = []
        self._starting: set[Environment] = set()
        self._stopped = asyncio.Event()
        self._busy: dict[asyncio.Task[None], tuple[Environment, Invocation]] = {}

    @property
    def pids(self) -> list[int]:
        """The process ids of the environments that have started."""
        busy = [environment for environment, _ in self._busy.values()]
        return [environment.pid for environment in [*self._idle, *busy] if environment.alive]

    async def invoke(self, payload: bytes) -> Invocation:
        """Hand ``payload`` to an environment; its answer comes in through the invocation.

        Raises:
            ThrottledError: none is free and no more may be started.
            InitError: a new one could not be started.
        """
        environment = await self._acquired()
        self._observer.invoked(self._spec.name)
        invocation = Invocation(
            payload,
            self._spec.arn,
            self._spec.timeout_seconds,
            sampled=XRAY_DAEMON in self._spec.environment,
        )
        attending = environment.invoke(invocation)
        self._busy[attending] = (environment, invocation)
        attending.add_done_callback(self._release)
        return invocation

    async def settled(self) -> None:
        """Wait until no environment is at work."""
        while self._busy:
            await asyncio.wait(self._busy)

    async def stop(self) -> None:
        """Kill every environment; no more are started."""
        self._stopped.set()
        environments = [*self._idle, *self._starting, *(busy for busy, _ in self._busy.values())]
        self._idle.clear()
        await asyncio.gather(*(environment.stop() for environment in environments))
        await asyncio.gather(*self._busy, return_exceptions=True)

    async def _acquired(self) -> Environment:
        try:
            return await self._acquire()
        except ThrottledError:
            self._observer.throttled(self._spec.name)
            raise
        except InitError:
            self._observer.failed(self._spec.name)
            raise

    async def _acquire(self) -> Environment:
        while True:
            while self._idle:
                environment = self._idle.pop()
                if environment.alive:
                    return environment
                await environment.stop()
            answered = [task for task, (_, call) in self._busy.items() if call.ended]
            if not answered:
                return await self._start()
            # Its answer is out and it is about to be free: no cold start for those milliseconds.
            await asyncio.wait(answered, return_when=asyncio.FIRST_COMPLETED)

    async def _start(self) -> Environment:
        if self._stopped.is_set() or self._is_full():
            raise ThrottledError
        environment = Environment(self._spec, self._log_file)
        self._starting.add(environment)
        try:
            await environment.start()
        except BaseException:
            # Also when the caller gives up: a half-started process would belong to nobody.
            await environment.stop()
            raise
        finally:
            self._starting.discard(environment)
        if self._stopped.is_set():
            await environment.stop()
            raise ThrottledError
        return environment

    def _is_full(self) -> bool:
        return len(self._busy) + len(self._starting) >= self._spec.environments_max

    def _release(self, attending: "asyncio.Task[None]") -> None:
        environment, invocation = self._busy.pop(attending)
        if invocation.has_failed:
            self._observer.failed(self._spec.name)
        if environment.alive:
            self._idle.append(environment)
