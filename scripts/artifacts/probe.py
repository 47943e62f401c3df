"""Runs inside an artifact: `python -I probe.py ARTIFACT FUNCTION`; prints what it found as JSON.

Everything the function can ever import is imported, the lazy imports too, then it is put together
from settings and reports a crash to nobody. It must import nothing at start but the standard
library, and must never reach the network.
"""

import ast
import asyncio
import contextlib
import importlib
import importlib.util
import io
import json
import os
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path

OUR_PACKAGES = ("functions", "shared")
CLIENTS = ("kms", "ssm", "secretsmanager")
MORE_CLIENTS = {
    "mcp_endpoint": ("sqs", "dynamodb"),
    "token_refresh": ("sqs", "dynamodb"),
    "cleanup": ("dynamodb", "s3"),
    "release_check": ("lambda", "codedeploy"),
}
"""Services that only some functions use."""
OF_AN_EXTRA = frozenset({"shared.observability.open_telemetry", "shared.observability.otlp"})
"""Loaded by a setting that asks for the extra, which refuses to start without it."""
EXTRA = "opentelemetry/exporter/otlp"
"""A folder of the extra's packages."""


def imported_by(source: str, package: str) -> Iterator[tuple[str, str]]:
    """Modules, with a name taken from them or '', that ``source`` imports anywhere at run time."""
    waiting: list[ast.AST] = [ast.parse(source)]
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from ((module, alias.name) for alias in node.names)
        waiting += ast.iter_child_nodes(node)


def import_everything(first: list[str]) -> list[str]:
    """Import modules, and what ours among them import, to the end; those of ours."""
    waiting, done = list(first), set[str]()
    if not any((Path(folder) / EXTRA).is_dir() for folder in sys.path):
        done.update(OF_AN_EXTRA)
    while waiting:
        name = waiting.pop()
        if name in done:
            continue
        done.add(name)
        module = importlib.import_module(name)
        file = getattr(module, "__file__", None)
        if not name.startswith(OUR_PACKAGES) or file is None:
            continue
        package = name if file.endswith("__init__.py") else name.rpartition(".")[0]
        for wanted, attribute in imported_by(Path(file).read_text(), package):
            waiting.append(wanted)
            if attribute and not hasattr(importlib.import_module(wanted), attribute):
                waiting.append(f"{wanted}.{attribute}")
    return sorted(name for name in done & set(sys.modules) if name.startswith(OUR_PACKAGES))


def modules_of(artifact: Path, function: str) -> list[str]:
    """Every module of the function's own package."""
    files = (artifact / "functions" / function).rglob("*.py")
    parts = (file.relative_to(artifact).with_suffix("").parts for file in files)
    return sorted(".".join(part for part in names if part != "__init__") for names in parts)


def from_elsewhere(artifact: Path) -> list[str]:
    """Files of loaded modules that are neither the artifact's nor the standard library's."""
    library = Path(os.__file__).parent.resolve()
    allowed = (str(artifact), str(library), str(Path(__file__)))
    files = (getattr(module, "__file__", None) for module in list(sys.modules.values()))
    return sorted(
        file
        for file in files
        if file and not file.startswith("<") and not str(Path(file).resolve()).startswith(allowed)
    )


async def compose(function: str) -> None:
    """Put the function together from the settings in the environment; nothing is connected."""
    composition = importlib.import_module(f"functions.{function}.composition")
    settings = importlib.import_module("shared.settings").FUNCTION_SETTINGS[function]
    composition.compose(settings.from_environment())


def build_clients(function: str) -> None:
    """A client of every AWS service that is used: their API models must be there."""
    boto3 = importlib.import_module("boto3")
    for service in (*CLIENTS, *MORE_CLIENTS.get(function, ())):
        boto3.client(service)


def report_crash() -> bool:
    """Whether a report was taken; its receiver is a port that nothing listens on."""
    crash_reports = importlib.import_module("shared.observability.crash_reports")
    log = importlib.import_module("shared.observability.logging").log
    try:
        raise LookupError("tried")  # noqa: TRY301 - a report wants a traceback
    except LookupError as error:
        taken = crash_reports.report(error) is not None
        log.exception("tried", error=error)
    crash_reports.flush()
    return taken


def main() -> None:
    """Try it and say what was found."""
    artifact, function = Path(sys.argv[1]).resolve(), sys.argv[2]
    sys.path.insert(0, str(artifact))
    began = time.process_time()
    importlib.import_module(f"functions.{function}.handler")
    import_seconds = time.process_time() - began
    import_memory_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    with contextlib.redirect_stdout(io.StringIO()):
        asyncio.run(compose(function))
        build_clients(function)
        reported = report_crash()
    modules = import_everything(modules_of(artifact, function))
    found = {
        "import_cpu_ms": round(import_seconds * 1000),
        "import_memory_mb": round(import_memory_mb),
        "modules_of_ours": len(modules),
        "crash_report_taken": reported,
        "traced": importlib.import_module("shared.observability.tracing").sink() is not None,
        "from_elsewhere": from_elsewhere(artifact),
    }
    sys.stdout.write(json.dumps(found) + "\n")


if __name__ == "__main__":
    main()
