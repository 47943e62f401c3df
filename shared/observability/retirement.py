"""Ends an environment that retires where the platform's runtime client would ask for more work.

Only there its last answer is out and no invocation is lost. The managed runtime has no hook at that
moment, so its client is given one; where it has changed its shape, environments just go on.
"""

import functools
import sys
from collections.abc import Callable
from typing import Any, Final

from shared.observability import memory_pressure
from shared.observability.logging import log

_CLIENT_MODULE: Final = "awslambdaric.lambda_runtime_client"
"""Loaded before a function's own code wherever a runtime runs it, packaged or the platform's."""
_CLIENT: Final = "LambdaRuntimeClient"
_NEXT: Final = "wait_next_invocation"


def watch_for_the_end() -> None:
    """Have this process's runtime client look, before each invocation, whether to retire."""
    client = getattr(sys.modules.get(_CLIENT_MODULE), _CLIENT, None)
    if client is None:
        return
    wait = getattr(client, _NEXT, None)
    if not callable(wait):
        log.warning("environments cannot retire: the runtime client is another than expected")
    elif not isinstance(wait, _Retiring):
        setattr(client, _NEXT, _Retiring(wait))


class _Retiring:
    """``wait_next_invocation`` with a look before it; a descriptor, as the method was."""

    def __init__(self, wait: Callable[..., Any]) -> None:
        self._wait = wait
        functools.update_wrapper(self, wait)

    def __get__(self, client: Any, owner: type | None = None) -> Any:
        return self if client is None else functools.partial(self, client)

    def __call__(self, client: Any) -> Any:
        if memory_pressure.retires():
            # The platform starts a fresh environment for the next invocation.
            sys.exit(0)
        return self._wait(client)
