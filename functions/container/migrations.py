"""The database's two steps of a release, by a container that ends."""

import importlib
from collections.abc import Callable
from typing import Any, Final

from shared.observability.instrument import InvocationError

_STEPS: Final = ("expand", "contract")


def run() -> int:
    """Exit status: 0 when the database is ready for this release, 1 when it is not.

    Both steps at once: a host that replaces containers has no moment between old code and new, so
    nothing that old code needs may be taken away but by the release after.
    """
    # Imported here: a process is one function, and starts the observability of one.
    handler: Callable[[dict[str, str], Any], object] = importlib.import_module(
        "functions.migrate.handler"
    ).handler
    try:
        for step in _STEPS:
            handler({"step": step}, None)
    except InvocationError:
        return 1
    return 0
