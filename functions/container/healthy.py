"""``python -m functions.container.healthy``: exit status 0 while this container does its work.

Asks for nothing beyond this container: a dependency that is away is no reason to replace it.
"""

import http.client
import sys
import time
from contextlib import closing
from typing import Final

from functions.container.clock import INTERVAL_SECONDS
from functions.container.roles import LAST_TICK, PORT_DEFAULT
from shared.domain.health import LIVE_PATH

ANSWER_SECONDS_MAX: Final = 3.0
TICK_AGE_SECONDS_MAX: Final = 3 * max(INTERVAL_SECONDS.values())


def main() -> int:
    """0: alive."""
    port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT_DEFAULT
    return 0 if _has_ticked() or _answers(port) else 1


def _has_ticked() -> bool:
    try:
        return time.time() - LAST_TICK.stat().st_mtime < TICK_AGE_SECONDS_MAX
    except FileNotFoundError:
        return False


def _answers(port: int) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS_MAX)
    try:
        with closing(connection):
            connection.request("GET", LIVE_PATH)
            return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


if __name__ == "__main__":
    raise SystemExit(main())
