"""One POST of one JSON-RPC message: from its bytes over the bearer check to the closing statement.

Never lets an outage look like a refusal, nor a refusal like an outage.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from functions.mcp_endpoint import call_state
from functions.mcp_endpoint.account_link import AccountLinks
from functions.mcp_endpoint.admission import AdmissionRules, Turns, note_refusal, refuse_changes
from functions.mcp_endpoint.answers import (
    Answer,
    Message,
    Receive,
    Scope,
    Send,
    message_error,
    send_answer,
)
from functions.mcp_endpoint.bearer import BearerCheck, Challenges, InsufficientScopeError
from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.held_response import HeldResponse
from functions.mcp_endpoint.mcp_server import McpProtocol
from functions.mcp_endpoint.messages import (
    ClientGoneError,
    IncomingMessage,
    MessageRefusedError,
    read_message,
)
from functions.mcp_endpoint.permissions import Permissions
from functions.mcp_endpoint.tools.catalogue import scopes_to_ask
from functions.mcp_endpoint.usage import CloseCall, close_call
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import SessionId
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode
from shared.errors.translation import JsonObject, as_service_error
from shared.observability import crash_reports, metrics, recovery, request_context
from shared.observability.logging import log
from shared.observability.spans import SpanName
from shared.observability.tracing import span


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeParts:
    """What an exchange needs."""

    body_bytes_max: int
    bearer: BearerCheck
    challenges: Challenges
    permissions: Permissions
    protocol: McpProtocol
    links: AccountLinks
    admission: AdmissionRules
    turns: Turns
    close_call: CloseCall
    note_network: Callable[[Scope, SessionId], Awaitable[None]] | None = None
    """Keeps from which networks a session is used."""
    settle: Callable[[], Awaitable[None]] | None = None
    """Ends what must not outlive the request; the answer has been sent by then."""


class MessageExchange:
    """One exchange."""

    def __init__(self, parts: ExchangeParts, scope: Scope, receive: Receive, send: Send) -> None:
        self._parts = parts
        self._scope = scope
        self._receive = receive
        self._send = send
        self._message: IncomingMessage | None = None
        self._begun = False

    async def run(self) -> None:
        """Answer; whatever goes wrong before the answer has begun becomes a JSON-RPC error."""
        try:
            await self._run()
        except ClientGoneError:
            log.info("client left while sending")
        except Exception as error:
            if self._begun:
                raise
            await send_answer(self._failure(error), self._send)

    async def _run(self) -> None:
        parts = self._parts
        message = await read_message(self._scope, self._receive, bytes_max=parts.body_bytes_max)
        self._message = message
        request_context.note(mcp_method=message.method_to_log)
        admission = parts.admission.asked(message)
        async with parts.turns.take():
            with span(SpanName.AUTHENTICATE):
                checked = await parts.bearer.authenticate(self._scope, admission)
            if admission is not None and checked.refusal is not None:
                note_refusal(admission, checked.refusal)
            if admission is not None and checked.reads_only:
                refuse_changes(admission)
            state = CallState(
                call=checked.call,
                request_id=message.request_id,
                call_id=checked.call_id,
                refusal=checked.refusal,
            )
            try:
                await self._answer(state, message)
            finally:
                await close_call(state, parts.close_call)
                if parts.note_network is not None and not checked.reads_only:
                    await parts.note_network(self._scope, checked.call.session_id)
                if parts.settle is not None:
                    await parts.settle()

    async def _answer(self, state: CallState, message: IncomingMessage) -> None:
        refusal = await self._refusal(state.call, message)
        if refusal is not None:
            await send_answer(refusal, self._send)
            return
        if state.refusal is not None and message.tool_name is None:
            # A tool tells it as its result, which a model can act on; nothing else has one.
            raise state.refusal
        await self._dispatch(state, message)

    async def _refusal(self, call: AuthenticatedCall, message: IncomingMessage) -> Answer | None:
        """The 403 for what the session's permissions do not cover."""
        missing = await self._parts.permissions.missing(message, call)
        if not missing:
            return None
        error = InsufficientScopeError({"missing": " ".join(missing)})
        _count(metrics.MetricName.BEARER_REFUSALS, error)
        return self._parts.challenges.allow(
            error,
            request_id=message.request_id,
            scopes=scopes_to_ask(missing, call.scopes),
        )

    async def _dispatch(self, state: CallState, message: IncomingMessage) -> None:
        held = HeldResponse(self._note_begin, state=state, replacement=lambda: self._late(state))
        scope = call_state.attach(self._scope, state)
        await self._parts.protocol.serve(message, scope, self._receive, held)
        await self._parts.links.introduced(message, state.call)

    async def _note_begin(self, message: Message) -> None:
        self._begun = True
        await self._send(message)

    def _late(self, state: CallState) -> Answer:
        """The 401 for a grant that died while its tool ran."""
        error = state.withdrawn or ServiceError()
        return self._parts.challenges.sign_in(error, request_id=state.request_id)

    def _failure(self, error: Exception) -> Answer:
        known = as_service_error(error)
        if known.entry.http_status >= recovery.HTTP_OUTAGE:
            recovery.surfaced()
        request_id = self._message.request_id if self._message else None
        if known.code is ErrorCode.INTERNAL_ERROR:
            known.report_id = crash_reports.report(error)
            log.exception("request failed", error=error, report_id=known.report_id)
        if known.entry.http_status == 401:
            _count(metrics.MetricName.BEARER_REFUSALS, known)
            return self._parts.challenges.sign_in(known, request_id=request_id)
        _count(metrics.MetricName.ERRORS, known)
        rule: JsonObject = (
            {"what_to_do": known.rule} if isinstance(known, MessageRefusedError) else {}
        )
        return message_error(known, request_id=request_id, details=rule)


def _count(name: metrics.MetricName, error: ServiceError) -> None:
    metrics.count(name, error_code=error.code.value)
    request_context.note(error_code=error.code.value)
    log.info(
        "request refused",
        error_code=error.code.value,
        first_cause=recovery.first_cause(error),
        **error.facts,
    )
