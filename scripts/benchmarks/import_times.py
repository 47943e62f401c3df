"""Where the time of a function's imports goes, by package, as ``-X importtime`` tells it.

Says nothing of a whole cold start: the interpreter's own bookkeeping slows every import down.
"""

import subprocess
from collections import defaultdict
from dataclasses import dataclass
from typing import Final

from scripts.lambda_emulator.environment import runtime_variables
from scripts.lambda_emulator.specification import FunctionSpec

PACKAGES_SHOWN: Final = 10
_SECONDS_MAX: Final = 120
_OURS: Final = ("functions", "shared")


class ImportFailedError(Exception):
    """The function's handler could not be imported; the message is the interpreter's."""


@dataclass(frozen=True, kw_only=True)
class ImportedPackage:
    """A top-level package (of ours: a room): time in its own modules, milliseconds."""

    package: str
    modules: int
    own_ms: float


def slowest_packages(spec: FunctionSpec) -> list[ImportedPackage]:
    """The packages that cost most while the handler is imported, slowest first.

    Raises:
        ImportFailedError: it could not be imported.
    """
    module = spec.handler.rpartition(".")[0]
    answer = subprocess.run(
        [spec.interpreter, "-X", "importtime", "-c", f"import {module}"],
        check=False,
        capture_output=True,
        text=True,
        cwd=spec.task_folder,
        env=runtime_variables(spec, "127.0.0.1:9"),
        timeout=_SECONDS_MAX,
    )
    if answer.returncode != 0:
        raise ImportFailedError(answer.stderr[-2000:])
    return by_package(answer.stderr)[:PACKAGES_SHOWN]


def by_package(report: str) -> list[ImportedPackage]:
    """The report's times of single modules, added up by package."""
    microseconds: defaultdict[str, int] = defaultdict(int)
    modules: defaultdict[str, int] = defaultdict(int)
    for line in report.splitlines():
        if not line.startswith("import time:") or "self [us]" in line:
            continue
        own, _, name = line.removeprefix("import time:").split("|")
        package = _package(name.strip())
        microseconds[package] += int(own)
        modules[package] += 1
    return [
        ImportedPackage(package=package, modules=modules[package], own_ms=spent / 1000)
        for package, spent in sorted(microseconds.items(), key=lambda item: -item[1])
    ]


def _package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] in _OURS else parts[0]
