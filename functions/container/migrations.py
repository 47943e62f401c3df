"""The database's two steps of a release, by a container that ends."""

from functions.migrate.handler import handler
from functions.migrate.requests import Step
from shared.observability.instrument import InvocationError


def run() -> int:
    """Exit status: 0 when the database is ready for this release, 1 when it is not.

    Both steps at once: a host that replaces containers has no moment between old code and new, so
    nothing that old code needs may be taken away but by the release after.
    """
    try:
        for step in Step:
            handler({"step": step.value}, None)
    except InvocationError:
        return 1
    return 0
