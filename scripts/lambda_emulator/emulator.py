"""The emulator: functions by name, their URLs, and direct invocations.

Lives in one event loop; stop it, or leave its ``async with`` block, before the loop ends. Even if
the process is killed, its environments die with it.
"""

import json
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scripts.lambda_emulator.environment_pool import EnvironmentPool
from scripts.lambda_emulator.function_url import FunctionUrl
from scripts.lambda_emulator.observer import Observer, Unobserved
from scripts.lambda_emulator.specification import FunctionSpec


class Emulator:
    """A small Lambda with any number of functions."""

    def __init__(self, *, log_folder: Path, observer: Observer | None = None) -> None:
        """Every function's output goes to ``<log_folder>/<name>.log``."""
        self._log_folder = log_folder
        self._observer = observer or Unobserved()
        self._pools: dict[str, EnvironmentPool] = {}
        self._urls: dict[str, FunctionUrl] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    async def start(self, spec: FunctionSpec) -> str:
        """Make a function available; environments start with the first invocation.

        Returns its URL without a trailing slash, '' if it has none.

        Raises:
            OSError: the port is taken.
            ValueError: the name is taken.
        """
        if spec.name in self._pools:
            raise ValueError(spec.name)
        self._log_folder.mkdir(parents=True, exist_ok=True)
        pool = EnvironmentPool(spec, self.log_file(spec.name), self._observer)
        if not spec.has_url:
            self._pools[spec.name] = pool
            return ""
        url = FunctionUrl(spec, pool, self._observer)
        address = await url.listen()
        self._pools[spec.name], self._urls[spec.name] = pool, url
        return address

    async def invoke(self, name: str, event: dict[str, Any]) -> Any:
        """Invoke a function directly, as a schedule does; answers its return value.

        Raises:
            FunctionError: it failed, died, ran out of time or could not start.
            ThrottledError: all its environments are busy.
        """
        invocation = await self._pools[name].invoke(json.dumps(event).encode())
        result = await invocation.collect()
        return json.loads(result) if invocation.kind == "buffered" else result

    def pids(self, name: str) -> list[int]:
        """The processes of a function's environments."""
        return self._pools[name].pids

    async def settled(self, name: str) -> None:
        """Wait until no environment of a function is at work: all are frozen."""
        await self._pools[name].settled()

    def log_file(self, name: str) -> Path:
        """Where a function's output goes."""
        return self._log_folder / f"{name}.log"

    async def stop(self) -> None:
        """Close the URLs and kill every environment."""
        for url in self._urls.values():
            await url.close()
        for pool in self._pools.values():
            await pool.stop()
        self._urls.clear()
        self._pools.clear()
