"""The SAM CLI, run from uv's cache: its version is pinned here and in the Makefile.

`python -m scripts.deployment.sam_cli` installs it and prints that version. It must never reach AWS:
no credentials, no telemetry, a fixed region.
"""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import Final

SAM_CLI: Final = "aws-sam-cli==1.170.0"
REGION: Final = "us-east-1"
RUN_SECONDS_MAX: Final = 600


class NoSamCliError(Exception):
    """The SAM CLI could not be installed; the message says why."""


def command(*arguments: str | Path) -> list[str | Path]:
    """The command line that runs a program of the SAM CLI's environment (`sam`, `python`)."""
    uv = Path(sysconfig.get_path("scripts")) / "uv"
    return [uv, "tool", "run", "--from", SAM_CLI, *arguments]


def environment() -> dict[str, str]:
    """The environment it runs in."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return {
        **kept,
        "SAM_CLI_TELEMETRY": "0",
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


def output_of(*arguments: str | Path) -> str:
    """What a program of the SAM CLI's environment prints.

    Raises:
        NoSamCliError: it could not be installed.
        subprocess.CalledProcessError: the program failed.
    """
    try:
        return _run(*arguments).stdout
    except subprocess.CalledProcessError:
        require()
        raise


def require() -> None:
    """Install it if it is not there.

    Raises:
        NoSamCliError: it could not be installed.
    """
    try:
        _run("python", "-c", "import samcli")
    except subprocess.CalledProcessError as error:
        reason = (error.stderr.strip().splitlines() or ["no reason given"])[-1]
        raise NoSamCliError(f"{SAM_CLI} could not be installed: {reason}") from error


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(*arguments),
        check=True,
        capture_output=True,
        text=True,
        env=environment(),
        timeout=RUN_SECONDS_MAX,
    )


def main() -> int:
    """Install it; the exit status."""
    try:
        require()
    except NoSamCliError as error:
        print(error, file=sys.stderr)
        return 1
    print(SAM_CLI)
    return 0


if __name__ == "__main__":
    sys.exit(main())
