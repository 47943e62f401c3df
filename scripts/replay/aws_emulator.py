"""AWS's own Lambda emulator, the binary from the SAM CLI's package, without a container.

It must be reachable from this machine only, and is killed with everything it started.
"""

import asyncio
import contextlib
import os
import platform
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

import httpx

from scripts.artifacts.build import machine
from scripts.deployment import sam_cli
from scripts.lambda_emulator.environment import runtime_command, runtime_variables
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack import die_with_parent
from scripts.local_stack.addresses import free_port

START_SECONDS_MAX: Final = 30.0
_PATH: Final = "/2015-03-31/functions/function/invocations"
_POLL_SECONDS: Final = 0.05
_BINARIES: Final = {"x86_64": "aws-lambda-rie-x86_64", "aarch64": "aws-lambda-rie-arm64"}


class NoAwsEmulatorError(Exception):
    """The binary cannot be had or cannot run here; the message says why."""


def find_binary() -> Path:
    """The binary for this machine; the SAM CLI is installed into uv's cache when it is not there.

    Raises:
        NoAwsEmulatorError: it cannot be had, or this is not Linux.
    """
    if platform.system() != "Linux" or machine() not in _BINARIES:
        raise NoAwsEmulatorError(f"none for {platform.system()} on {platform.machine()}")
    ask = "import samcli; print(samcli.__path__[0])"
    try:
        package = sam_cli.output_of("python", "-c", ask).strip()
    except sam_cli.NoSamCliError as error:
        raise NoAwsEmulatorError(str(error)) from error
    binary = Path(package) / "local" / "rapid" / _BINARIES[machine()]
    if not binary.is_file():
        raise NoAwsEmulatorError(f"{sam_cli.SAM_CLI} has no {binary.name}")
    return binary


class AwsEmulator:
    """One function's artifact on AWS's emulator."""

    def __init__(self, address: str) -> None:
        self._address = address

    async def invoke(self, event: dict[str, Any], *, timeout_seconds: float) -> bytes:
        """The bytes with which the invocation ended; a streamed answer comes in one piece.

        Raises:
            httpx.HTTPError: the emulator did not answer.
        """
        async with httpx.AsyncClient(timeout=timeout_seconds) as http:
            answer = await http.post(self._address, json=event)
        return answer.content


@contextlib.asynccontextmanager
async def aws_emulator(
    binary: Path, function: FunctionSpec, log_file: Path
) -> AsyncIterator[AwsEmulator]:
    """The emulator running a function, gone afterwards.

    Raises:
        NoAwsEmulatorError: it did not start.
    """
    port, runtime_api_port = free_port("127.0.0.1"), free_port("127.0.0.1")
    options = [
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime_api_port}"),
    ]
    limit = {"AWS_LAMBDA_FUNCTION_TIMEOUT": str(int(function.timeout_seconds))}
    with log_file.open("ab") as log:
        process = await asyncio.create_subprocess_exec(
            *die_with_parent.command([str(binary), *options, *runtime_command(function)]),
            env={**runtime_variables(function, f"127.0.0.1:{runtime_api_port}"), **limit},
            cwd=function.task_folder,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        await _wait_until_it_listens(process, port)
        yield AwsEmulator(f"http://127.0.0.1:{port}{_PATH}")
    finally:
        # With its group: the runtime is the emulator's child.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


async def _wait_until_it_listens(process: asyncio.subprocess.Process, port: int) -> None:
    loop = asyncio.get_running_loop()
    give_up_at = loop.time() + START_SECONDS_MAX
    while loop.time() < give_up_at and process.returncode is None:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            await writer.wait_closed()
            return
        await asyncio.sleep(_POLL_SECONDS)
    raise NoAwsEmulatorError(f"the binary did not start (exit status {process.returncode})")


if __name__ == "__main__":
    sys.stdout.write(f"{find_binary()}\n")
