"""One execution environment: a child process with the real runtime, and its Runtime API.

Serves one invocation at a time and is frozen in between. It must never outlive the emulator.
"""

import asyncio
import contextlib
import os
import signal
import sys
import uuid
from pathlib import Path

from scripts.lambda_emulator.invocation import FunctionError, Invocation
from scripts.lambda_emulator.runtime_api import RuntimeApi
from scripts.lambda_emulator.specification import (
    INIT_SECONDS_MAX,
    STREAM_WRAPPER,
    FunctionSpec,
)
from scripts.local_stack.die_with_parent import command as command_that_dies_with_us


class InitError(FunctionError):
    """The environment could not be started."""


class Environment:
    """A process that serves a function's invocations."""

    def __init__(self, spec: FunctionSpec, log_file: Path) -> None:
        self._spec = spec
        self._log_file = log_file
        self._runtime_api = RuntimeApi()
        self._process: asyncio.subprocess.Process | None = None
        self._exited = asyncio.Event()
        self._watcher: asyncio.Task[None] | None = None
        self._frozen = False

    @property
    def pid(self) -> int:
        """The process id of the runtime."""
        if self._process is None:
            raise RuntimeError("not started")
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process is there; asks the kernel, because the news may be on their way."""
        if self._process is None or self._exited.is_set():
            return False
        options = os.WEXITED | os.WNOHANG | os.WNOWAIT
        try:
            return os.waitid(os.P_PID, self._process.pid, options) is None
        except ChildProcessError:
            return False

    async def start(self) -> None:
        """Start the process and wait until the runtime asks for work.

        Raises:
            InitError: it failed, died or took longer than ``INIT_SECONDS_MAX``.
        """
        address = await self._runtime_api.listen()
        with self._log_file.open("ab") as log:
            self._process = await asyncio.create_subprocess_exec(
                *command_that_dies_with_us(runtime_command(self._spec)),
                env=runtime_variables(self._spec, address),
                cwd=self._spec.task_folder,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self._watcher = asyncio.create_task(self._watch())
        first = await _first_of(
            {
                "idle": self._runtime_api.idle,
                "failed": self._runtime_api.init_failed,
                "exited": self._exited,
            },
            timeout_seconds=INIT_SECONDS_MAX,
        )
        if first != "idle":
            await self.stop()
            raise InitError(f"Runtime.Init.{first or 'timeout'}")
        self._freeze()

    def invoke(self, invocation: Invocation) -> "asyncio.Task[None]":
        """Hand ``invocation`` over; the task ends when the next may come, or with the process."""
        self._thaw()
        self._runtime_api.deliver(invocation)
        return asyncio.create_task(self._attend(invocation))

    async def stop(self) -> None:
        """Kill the process, stopped or not, and close its Runtime API."""
        if self.alive:
            self._signal(signal.SIGKILL)
        if self._watcher is not None:
            await self._watcher
        await self._runtime_api.close()

    async def _attend(self, invocation: Invocation) -> None:
        first = await _first_of(
            {"idle": self._runtime_api.idle, "exited": self._exited},
            timeout_seconds=self._spec.timeout_seconds,
        )
        if first == "idle":
            # An answer is whole before the runtime asks again; anything else was never answered.
            await invocation.end(FunctionError("Runtime.NoResponse"))
            self._freeze()
            return
        timed_out = first is None
        await self.stop()
        await invocation.end(
            FunctionError("Sandbox.Timedout" if timed_out else "Runtime.ExitError")
        )

    async def _watch(self) -> None:
        if self._process is not None:
            await self._process.wait()
        self._exited.set()

    def _freeze(self) -> None:
        if self._spec.freezes and sys.platform == "linux":
            self._signal(signal.SIGSTOP)
            self._frozen = True

    def _thaw(self) -> None:
        if self._frozen:
            self._signal(signal.SIGCONT)
            self._frozen = False

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                self._process.send_signal(number)


def runtime_command(spec: FunctionSpec) -> list[str]:
    """The command that starts the runtime, behind the exec wrapper if there is one."""
    runtime = [spec.interpreter, "-m", "awslambdaric", spec.handler]
    default = str(STREAM_WRAPPER) if spec.invoke_mode == "RESPONSE_STREAM" else ""
    wrapper = spec.environment.get("AWS_LAMBDA_EXEC_WRAPPER", default)
    return [wrapper, *runtime] if wrapper else runtime


def runtime_variables(spec: FunctionSpec, runtime_api: str) -> dict[str, str]:
    """The environment variables of the process: the platform's, then the function's own."""
    python = f"python3.{sys.version_info.minor}"
    return {
        "PATH": os.environ.get("PATH", os.defpath),
        "LANG": "en_US.UTF-8",
        "TZ": ":UTC",
        "LAMBDA_TASK_ROOT": str(spec.task_folder),
        "_HANDLER": spec.handler,
        "AWS_EXECUTION_ENV": f"AWS_Lambda_{python}",
        "AWS_REGION": spec.region,
        "AWS_DEFAULT_REGION": spec.region,
        "AWS_LAMBDA_FUNCTION_NAME": spec.name,
        "AWS_LAMBDA_FUNCTION_VERSION": "$LATEST",
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(spec.memory_mb),
        "AWS_LAMBDA_LOG_GROUP_NAME": f"/aws/lambda/{spec.name}",
        "AWS_LAMBDA_LOG_STREAM_NAME": f"[$LATEST]{uuid.uuid4().hex}",
        "AWS_LAMBDA_INITIALIZATION_TYPE": "snap-start" if spec.snap_start else "on-demand",
        **import_variables(spec),
        **spec.environment,
        "AWS_LAMBDA_RUNTIME_API": runtime_api,
    }


def import_variables(spec: FunctionSpec) -> dict[str, str]:
    """What makes an interpreter import from the given folders, and leave them as they are."""
    if not spec.import_folders:
        return {}
    return {
        "PYTHONPATH": os.pathsep.join(str(folder) for folder in spec.import_folders),
        "PYTHONDONTWRITEBYTECODE": "1",
    }


async def _first_of(events: dict[str, asyncio.Event], *, timeout_seconds: float) -> str | None:
    """The name of the event that is set first; None if none is in time."""
    waits = {asyncio.create_task(event.wait()): name for name, event in events.items()}
    try:
        done, _ = await asyncio.wait(
            waits, timeout=timeout_seconds, return_when=asyncio.FIRST_COMPLETED
        )
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)
    names = [name for wait, name in waits.items() if wait in done]
    return names[0] if names else None
