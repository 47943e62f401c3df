"""What the emulator is told about a function, and the limits it keeps like the platform.

It must not read the process's own environment: a function sees only what it is given.
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

InvokeMode = Literal["BUFFERED", "RESPONSE_STREAM"]

PROJECT_FOLDER = Path(__file__).resolve().parents[2]
STREAM_WRAPPER = PROJECT_FOLDER / "shared" / "lambda_stream" / "exec_wrapper"

REQUEST_BYTES_MAX = 6 * 1024 * 1024
BUFFERED_RESPONSE_BYTES_MAX = 6 * 1024 * 1024
INIT_SECONDS_MAX = 30.0
"""The platform allows 10 s; a laptop that starts everything at once is slower."""
STOP_SECONDS_MAX = 5.0


@dataclass(frozen=True)
class FunctionSpec:
    """One function: what runs, where its URL listens, and its limits."""

    name: str
    handler: str
    """Dotted name, as in the template."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The function's own variables. ``PATH`` and the runtime's variables are added."""
    invoke_mode: InvokeMode = "BUFFERED"
    """``RESPONSE_STREAM`` starts the environment through this project's exec wrapper, unless
    ``environment`` names an ``AWS_LAMBDA_EXEC_WRAPPER`` itself (empty: none)."""
    timeout_seconds: float = 30.0
    environments_max: int = 10
    """Concurrent invocations; one more is throttled."""
    host: str = "127.0.0.1"
    port: int = 0
    """Of the Function URL; 0 picks a free one."""
    has_url: bool = True
    """Off for functions that only schedules invoke: ``start`` then answers ''."""
    memory_mb: int = 512
    task_folder: Path = PROJECT_FOLDER
    """Where the code is (``LAMBDA_TASK_ROOT``)."""
    interpreter: str = sys.executable
    """What runs it; one without packages of its own needs ``import_folders``."""
    import_folders: Sequence[Path] = ()
    """Where packages are found beside the interpreter's own, ``task_folder`` first of all."""
    renames_challenge_header: bool = True
    """``WWW-Authenticate`` arrives as ``x-amzn-remapped-www-authenticate``."""
    freezes: bool = True
    """Stop the process between invocations (Linux only)."""
    snap_start: bool = False
    """Start as if from a snapshot: the restore hooks run before the first invocation."""
    region: str = "us-east-1"

    @property
    def arn(self) -> str:
        """The ARN that invocations carry."""
        return f"arn:aws:lambda:{self.region}:000000000000:function:{self.name}"
