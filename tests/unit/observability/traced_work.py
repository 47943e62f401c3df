"""A handler whose spans run at once, fail and try to leak; and settings to observe it with."""

import asyncio
from types import SimpleNamespace
from typing import Any

from shared.observability.spans import SpanName
from shared.observability.tracing import span

SECRET = "Xq7-opaque-canary"
EVENT = {"headers": {"x-request-id": "request-1"}}
TASKS = 8
FAILING = 3


def settings(**changed: Any) -> Any:
    """The settings of a process that traces nowhere, but for what is ``changed``."""
    given = {
        "stage": "local",
        "log_level": "INFO",
        "log_debug_sample_rate": 0.0,
        "release": "r",
        "sentry_dsn": None,
        "sentry_traces_sample_rate": 0.0,
        "trace_provider": "none",
        "trace_sample_rate": 1.0,
        "otlp_traces_url": None,
        "otlp_timeout_seconds": 0.5,
        "debug_answers": False,
        "aws_lambda_function_memory_size": None,
        "memory_share_max": 0.85,
    }
    return SimpleNamespace(**{**given, **changed})


async def _work(number: int) -> None:
    with span(SpanName.TOOL, number=number):
        await asyncio.sleep(0)
        with span(SpanName.UPSTREAM_RPC, number=number, code=SECRET):
            await asyncio.sleep(0)
        if number == FAILING:
            raise ValueError(SECRET)


def handler(event: Any, context: Any) -> None:
    """Do it, and fail."""

    async def everything() -> None:
        await asyncio.gather(*(_work(n) for n in range(TASKS)), return_exceptions=True)

    asyncio.run(everything())
    raise ValueError(SECRET)


EXPECTED = sorted(
    [("tool", number, "root", number == FAILING) for number in range(TASKS)]
    + [("upstream_rpc", number, f"tool {number}", False) for number in range(TASKS)]
)
"""Name, number, parent, whether it failed: what every provider has to show."""
