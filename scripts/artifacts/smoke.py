"""Tries every built artifact in a clean interpreter, with nothing but the artifact on its path.

    scripts/smoke_artifacts            builds what is not up to date, for this machine
    scripts/smoke_artifacts FOLDER     tries what `sam build` or somebody else has put there

It must say loudly what it could not try.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from scripts.artifacts.build import (
    LOGICAL_IDS,
    Artifacts,
    BuildError,
    artifacts_in,
    current_artifacts,
)
from scripts.artifacts.managed_runtime import NoPythonError
from scripts.artifacts.sizes import UNZIPPED_MB_MAX, size_mb

PROBE_SECONDS_MAX: Final = 120
_PROBE: Final = Path(__file__).with_name("probe.py")
_DEAD: Final = "127.0.0.1:9"  # the discard port: nothing listens there
SETTINGS: Final = {
    "STAGE": "dev",
    "LOG_LEVEL": "INFO",
    "TRACE_PROVIDER": "xray",
    "SENTRY_DSN": f"http://public@{_DEAD}/1",
    "ISSUER_URL": "https://issuer.example",
    "MCP_URL": "https://mcp.example/mcp",
    "DATABASE_URL": "host=127.0.0.1 port=9 dbname=none user=none",
    "DATABASE_URLS": json.dumps(
        {
            name: f"host=127.0.0.1 port=9 dbname=none user=app_{name}"
            for name in (
                "mcp_endpoint",
                "oauth",
                "token_refresh",
                "cleanup",
                "containment",
                "report",
                "migrate",
            )
        }
    ),
    "CHECKED_MCP_VERSION": "mcp_endpoint:1",
    "CHECKED_OAUTH_VERSION": "oauth:1",
    "KMS_KEY_ID": "alias/none",
    "REFRESH_QUEUE_URL": f"http://{_DEAD}/refresh",
    "WATCHDOG_QUEUE_URL": f"http://{_DEAD}/watchdog",
    "SPILL_TABLE": "none",
    "DRUPAL_BASE_URL": "https://drupal.example",
    "DRUPAL_CLIENT_ID": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_ENDPOINT_URL": f"http://{_DEAD}",
    "AWS_XRAY_DAEMON_ADDRESS": _DEAD,
    "AWS_LAMBDA_FUNCTION_NAME": "smoke",
    "_X_AMZN_TRACE_ID": "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1",
}


@dataclass(frozen=True)
class Finding:
    """What came of one artifact."""

    function: str
    size_mb: float
    byte_code: int
    sources: int
    facts: dict[str, Any]
    problems: list[str]


def try_artifact(artifacts: Artifacts, function: str) -> Finding:
    """Try one artifact; what is wrong with it is in ``problems``."""
    folder = artifacts.code_of(function)
    facts, problems = _probe(artifacts.python, folder, function)
    size = size_mb(folder)
    sources = len(list(folder.rglob("*.py")))
    byte_code = len(list(folder.rglob("*.pyc")))
    if size > UNZIPPED_MB_MAX:
        problems.append(f"{size:.1f} MB, more than {UNZIPPED_MB_MAX}")
    if byte_code < sources:
        problems.append(f"{sources - byte_code} sources have no byte code")
    problems += [
        f"{wanted} is not so"
        for wanted in ("crash_report_taken", "traced")
        if not facts.get(wanted)
    ]
    problems += [f"loaded from elsewhere: {file}" for file in facts.get("from_elsewhere", [])]
    return Finding(function, size, byte_code, sources, facts, problems)


def _probe(python: Path, artifact: Path, function: str) -> tuple[dict[str, Any], list[str]]:
    with tempfile.TemporaryDirectory() as elsewhere:
        answer = subprocess.run(
            [python, "-I", "-B", "-W", "error::ImportWarning", _PROBE, artifact, function],
            check=False,
            capture_output=True,
            text=True,
            cwd=elsewhere,
            timeout=PROBE_SECONDS_MAX,
            env={**SETTINGS, "LAMBDA_TASK_ROOT": str(artifact)},
        )
    if answer.returncode != 0:
        return {}, [f"exit {answer.returncode}: {answer.stderr.strip()[-2000:]}"]
    return dict(json.loads(answer.stdout.splitlines()[-1])), []


def show(findings: list[Finding]) -> None:
    """Print the table and the problems."""
    print(f"{'function':15}{'MB':>7}{'.py':>7}{'.pyc':>7}{'import ms':>11}{'memory MB':>11}  ours")
    for one in findings:
        facts = one.facts
        print(
            f"{one.function:15}{one.size_mb:7.1f}{one.sources:7}{one.byte_code:7}"
            f"{facts.get('import_cpu_ms', '-'):>11}{facts.get('import_memory_mb', '-'):>11}"
            f"  {facts.get('modules_of_ours', '-')} modules"
        )
    for one in findings:
        for problem in one.problems:
            print(f"FAILED {one.function}: {problem}")


def main() -> int:
    """Try them all; the exit status."""
    parser = argparse.ArgumentParser(prog="scripts/smoke_artifacts")
    parser.add_argument("folder", nargs="?", type=Path, help="artifacts; default: built when stale")
    given = parser.parse_args()
    try:
        artifacts = artifacts_in(given.folder) if given.folder else current_artifacts()
    except NoPythonError as error:
        print(f"NOT RUN: smoke test of the artifacts ({error})")
        return 0
    except BuildError as error:
        print(f"FAILED {error}")
        return 1
    findings = [try_artifact(artifacts, function) for function in LOGICAL_IDS]
    show(findings)
    return 1 if any(one.problems for one in findings) else 0


if __name__ == "__main__":
    sys.exit(main())
