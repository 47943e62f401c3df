"""The one boundary where an error inside a tool becomes a result that a model can act on.

Never lets an error's own text through: catalogue text, the next step, a correlation id.
"""

from dataclasses import dataclass

from mcp_types import CallToolResult, TextContent

from functions.mcp_endpoint.tools.definitions import ArgumentsInvalidError
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.entries import Guidance
from shared.errors.translation import JsonObject, as_guidance, as_service_error
from shared.observability import crash_reports, metrics, recovery, request_context
from shared.observability.debug_answers import debug_of
from shared.observability.logging import log
from shared.observability.request_context import correlation_id

_NEXT_STEPS: dict[Guidance, str] = {
    Guidance.RETRY_LATER: "Try the same call again after the time given.",
    Guidance.SIGN_IN: "Ask the person to sign in again in their MCP client.",
    Guidance.SUBSCRIBE: (
        "Tell the person that their membership does not include this; they can change it on "
        "the site."
    ),
    Guidance.CHANGE_ARGUMENTS: "Change the arguments and call again.",
    Guidance.CONTACT_SUPPORT: (
        "If it stays so, ask the person to contact support with the correlation id."
    ),
}

_PAGE_TEXTS: dict[Guidance, str] = {
    Guidance.SUBSCRIBE: "The person finds memberships there: {page}",
    Guidance.CONTACT_SUPPORT: "The person can sign in there and see why: {page}",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonPages:
    """Where the person themselves can do something about an error."""

    account: str
    membership: str | None = None
    """None: the site has no such page, or nobody has named it."""

    def of(self, error: ServiceError) -> str | None:
        """The page for ``error``, if there is one."""
        if error.entry.guidance is Guidance.SUBSCRIBE:
            return self.membership
        return self.account if error.code is ErrorCode.ACCOUNT_UNAVAILABLE else None


def is_identity_error(error: ServiceError) -> bool:
    """Whether ``error`` means that nobody is signed in any more: the HTTP answer says so, 401.

    A refused account is none of these: a new sign-in would not help against it.
    """
    return error.entry.http_status == 401


def guidance_of(error: ServiceError, *, page: str | None = None) -> JsonObject:
    """The error as data, with what to do in words: some clients show a model nothing else.

    ``page`` is where the person themselves can do something about it.
    """
    body = as_guidance(error, correlation_id=correlation_id())
    where = {} if page is None else {"page": page}
    step = _NEXT_STEPS[error.entry.guidance]
    return {**body, "what_to_do": step, **where, **debug_of(error)}


def noted(error: Exception, *, told: bool = True) -> ServiceError:
    """Log an error once, count it, report an unexpected one; gives what callers may know.

    ``told`` is False where the caller gets an answer all the same.
    """
    known = as_service_error(error)
    fields = {
        "error_code": known.code.value,
        "first_cause": recovery.first_cause(known),
        **known.facts,
    }
    request_context.note(error_code=known.code.value)
    if told and known.entry.http_status >= recovery.HTTP_OUTAGE:
        recovery.surfaced()
    if known.code is ErrorCode.INTERNAL_ERROR:
        known.report_id = crash_reports.report(error)
        log.exception("tool failed unexpectedly", error=error, report_id=known.report_id, **fields)
    else:
        log.info("tool ended with an error", **fields)
    metrics.count(metrics.MetricName.ERRORS, error_code=known.code.value)
    return known


def as_tool_result(error: ServiceError, *, page: str | None = None) -> CallToolResult:
    """The error as a tool's result: text for the model, the same as structured content."""
    details = error.details if isinstance(error, ArgumentsInvalidError) else {}
    body: JsonObject = {**guidance_of(error, page=page), **details}
    return CallToolResult(
        content=[TextContent(text=_text(error, page))],
        structured_content={"error": body},
        is_error=True,
    )


def _text(error: ServiceError, page: str | None) -> str:
    lines = [error.entry.message]
    if isinstance(error, ArgumentsInvalidError):
        lines += [f"- {field}: {rule}" for field, rule in error.problems]
    lines.append(f"What to do: {_NEXT_STEPS[error.entry.guidance]}")
    if page is not None:
        lines.append(_PAGE_TEXTS[error.entry.guidance].format(page=page))
    if error.retry_after_seconds is not None:
        lines.append(f"Try again in {error.retry_after_seconds} seconds.")
    lines.append(f"Error {error.code.value}, correlation id {correlation_id()}.")
    return "\n".join(lines)
