"""Notes what a call was, and closes it after the answer, within the request.

Never fails the call, and never waits long.
"""

import asyncio
from collections.abc import Awaitable, Callable

from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.tools.definitions import ToolResult
from functions.mcp_endpoint.tools.site_tools import METRIC_NAME as SITE_TOOL
from shared.domain.scopes import Scope
from shared.domain.usage import Entitlement
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
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
    asked_id: object = None,
) -> None:
    """Count a call and prepare its usage row; ``asked_id`` is the content that it asked for."""
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
    state.found = result.found if result else None
    state.usage = UsageRow(
        tool=name,
        outcome=outcome,
        content_id=_content_id(result, failure, asked_id if metric_name in RETRIEVING else None),
        result_count=result.result_count if result else None,
        duration_milliseconds=round(milliseconds),
        searched=result.searched if result else None,
        content_title=result.shown.title if result and result.shown else None,
        continues=result is not None and result.continues,
        entitlement=_entitlement(result, failure, site_tool=metric_name == SITE_TOOL),
        may_read=Scope.READ.value in state.call.scopes,
    )


def _content_id(
    result: ToolResult | None, failure: ServiceError | None, asked_id: object
) -> str | None:
    """What was read, or refused: any other id is the caller's own text, and is not noted."""
    if result is not None:
        return result.content_id
    refused = _is_refusal(failure) and isinstance(asked_id, str)
    return str(asked_id) if refused else None


def _entitlement(
    result: ToolResult | None, failure: ServiceError | None, *, site_tool: bool
) -> Entitlement:
    if _is_refusal(failure):
        return Entitlement.REFUSED
    if result is not None and (result.shown is not None or site_tool):
        return Entitlement.ALLOWED
    return Entitlement.UNASKED


def _is_refusal(failure: ServiceError | None) -> bool:
    return failure is not None and failure.code is ErrorCode.SUBSCRIPTION_REQUIRED


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
        found=state.found,
    )
    try:
        with span(SpanName.CLOSE_CALL):
            async with asyncio.timeout(CLOSE_SECONDS_MAX):
                await close(ended)
    except Exception as error:  # noqa: BLE001 - a row of statistics is worth no failed call
        log.warning("call not closed", error_type=type(error).__name__)
