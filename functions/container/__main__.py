"""``python -m functions.container ROLE``: one process of one role, until it is told to end.

An image serves all roles, a container one of them: each has database rights of its own.
"""

import argparse
import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Final

from functions.container import clock, doors, migrations
from functions.container.roles import PORT_DEFAULT, Role
from shared.settings_group import SettingsError

_STARTS: Final[Mapping[Role, Callable[[argparse.Namespace], int]]] = {
    Role.MCP_ENDPOINT: lambda given: doors.serve(given.role, host=given.host, port=given.port),
    Role.OAUTH: lambda given: doors.serve(given.role, host=given.host, port=given.port),
    Role.TOKEN_REFRESH: lambda given: asyncio.run(clock.tick_on(given.role)),
    Role.CLEANUP: lambda given: asyncio.run(clock.tick_on(given.role)),
    Role.MIGRATE: lambda _: migrations.run(),
}


def main() -> int:
    """Exit status: 0 after a signal or when all is done, 1 when it could not start."""
    parser = argparse.ArgumentParser(prog="functions.container", description=__doc__)
    parser.add_argument("role", type=Role, choices=list(Role))
    parser.add_argument("--host", default="127.0.0.1", help="of a door; 0.0.0.0 in an image")
    parser.add_argument("--port", type=int, default=PORT_DEFAULT, help="of a door")
    given = parser.parse_args()
    try:
        return _STARTS[given.role](given)
    except SettingsError as error:
        print(f"{given.role}: {error}", file=sys.stderr)  # noqa: T201 - no log without settings
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
