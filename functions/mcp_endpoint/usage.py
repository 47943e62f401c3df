"""Notes what a call was, and closes it after the answer, within the request.

Never fails the call, and never waits long.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable

from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.tools.definitions import ToolResult
from shared.errors.base import ServiceError
from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.spans import SpanName
from shared.observability.tracing import span
from shared.state.calls import EndedCall, UsageRow

CLOSE_SECONDS_MAX = 1.0

CloseCall = Callable[[EndedCall], Awaitable[None]]
"""Writes the usage row and frees the slot."""


def note_usage(
    state: CallState,
    name: str,
    *,
    metric_name: str,
    result: ToolResult | None,
    failure: ServiceError | None,
    started: float,
) -> None:
    """Count a call and prepare its usage row; ``started`` is a time of ``perf_counter``."""
    milliseconds = (time.perf_counter() - started) * 1000
    outcome = failure.code.value if failure is not None else "ok"
    metrics.count(metrics.MetricName.TOOL_CALLS, tool=metric_name, outcome=outcome)
    metrics.duration(metrics.MetricName.TOOL_DURATION, milliseconds, tool=metric_name)
    state.usage = UsageRow(
        tool=name,
        outcome=outcome,
        content_id=result.content_id if result else None,
        result_count=result.result_count if result else None,
        duration_milliseconds=round(milliseconds),
    )


async def close_call(state: CallState, close: CloseCall) -> None:
    """Write the usage row of ``state``, if a tool has run, and free the slot that it held."""
    if state.usage is None and state.call_id is None:
        return
    ended = EndedCall(
        user_id=state.call.grant.user_id,
        grant_id=state.call.grant.grant_id,
        call_id=state.call_id,
        usage=state.usage,
    )
    try:
        with span(SpanName.CLOSE_CALL):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await close(ended)
    except Exception as error:  # noqa: BLE001 - a row of statistics is worth no failed call
        log.warning("call not closed", error_type=type(error).__name__)
