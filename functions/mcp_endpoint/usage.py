"""Notes what a call was, and closes it after the answer, within the request.

Never fails the call, and never waits long.
"""

import asyncio
from collections.abc import Awaitable, Callable

from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.tools.definitions import ToolResult
from shared.errors.base import ServiceError
from shared.observability import metrics, request_context
from shared.observability.logging import log
from shared.observability.spans import SpanName
from shared.observability.stopwatch import Stopwatch
from shared.observability.tracing import span
from shared.state.calls import EndedCall, UsageRow

CLOSE_SECONDS_MAX = 1.0

RETRIEVING = frozenset({"search_tutorials", "get_tutorial", "search", "fetch", "read_resource"})
"""What metrics call the readings of the site's content: their time is a target of its own."""

CloseCall = Callable[[EndedCall], Awaitable[None]]
"""Writes the usage row and frees the slot."""


def note_usage(
    state: CallState,
    name: str,
    *,
    metric_name: str,
    result: ToolResult | None,
    failure: ServiceError | None,
    watch: Stopwatch,
) -> None:
    """Count a call and prepare its usage row."""
    own_milliseconds = watch.own_milliseconds
    milliseconds = watch.total_milliseconds
    outcome = failure.code.value if failure is not None else "ok"
    metrics.count(metrics.MetricName.TOOL_CALLS, tool=metric_name, outcome=outcome)
    metrics.duration(metrics.MetricName.TOOL_DURATION, milliseconds, tool=metric_name)
    metrics.duration(metrics.MetricName.TOOL_OWN_DURATION, own_milliseconds, tool=metric_name)
    if result is not None and metric_name in RETRIEVING and not _is_cold():
        metrics.duration(metrics.MetricName.RETRIEVAL_DURATION, milliseconds)
        metrics.duration(metrics.MetricName.RETRIEVAL_OWN_DURATION, own_milliseconds)
    state.shown = result.shown if result else None
    state.usage = UsageRow(
        tool=name,
        outcome=outcome,
        content_id=result.content_id if result else None,
        result_count=result.result_count if result else None,
        duration_milliseconds=round(milliseconds),
    )


def _is_cold() -> bool:
    request = request_context.current()
    return request is not None and request.cold_start


async def close_call(state: CallState, close: CloseCall) -> None:
    """Write the usage row of ``state``, if a tool has run, and free the slot that it held."""
    if state.usage is None and state.call_id is None:
        return
    ended = EndedCall(
        user_id=state.call.grant.user_id,
        grant_id=state.call.grant.grant_id,
        call_id=state.call_id,
        usage=state.usage,
        shown=state.shown,
    )
    try:
        with span(SpanName.CLOSE_CALL):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await close(ended)
    except Exception as error:  # noqa: BLE001 - a row of statistics is worth no failed call
        log.warning("call not closed", error_type=type(error).__name__)
