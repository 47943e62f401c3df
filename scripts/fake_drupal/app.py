"""The fake site as an ASGI application: reads a request, meets the planned fault, answers, logs.

Never lets a fault touch ``/_control``.
"""

import asyncio
import json
import time

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from scripts.fake_drupal.answers import APOLOGY_REASON, HTML_TYPE
from scripts.fake_drupal.call import Call, read_call
from scripts.fake_drupal.control_endpoint import CONTROL_PREFIX, control_endpoint
from scripts.fake_drupal.fault_answers import canned_answer
from scripts.fake_drupal.faults import Fault, FaultKind, RouteClass, classify
from scripts.fake_drupal.login import browser_account
from scripts.fake_drupal.request_log import LogEntry
from scripts.fake_drupal.routes import respond
from scripts.fake_drupal.site import Site
from scripts.fake_drupal.wire import Wire

CORRELATION_HEADERS = ("x-correlation-id", "x-request-id")
RPC_ROUTES = (RouteClass.JSONRPC, RouteClass.TOOLS)


class FakeDrupalApp:
    """ASGI application over one site."""

    def __init__(self, site: Site) -> None:
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        request = Request(scope, receive)
        if request.url.path.startswith(CONTROL_PREFIX):
            response = await control_endpoint(self._site, request)
            await response(scope, receive, send)
            return
        call = await read_call(request)
        entry = self._logged(call)
        started = time.monotonic()
        exchange = _Exchange(self._site, call, entry)
        try:
            await exchange.serve(scope, receive, send)
        finally:
            entry.milliseconds = round((time.monotonic() - started) * 1000, 1)

    def _logged(self, call: Call) -> LogEntry:
        route = classify(call.path)
        correlation = (call.headers.get(name) for name in CORRELATION_HEADERS)
        entry = LogEntry(
            number=self._site.log.next_number(),
            at=self._site.clock.now(),
            method=call.method,
            path=call.path,
            route=route.value,
            correlation_id=next((value for value in correlation if value), None),
            traceparent=call.headers.get("traceparent"),
            grant_type=call.form.get("grant_type") if route is RouteClass.TOKEN else None,
            rpc_method=_rpc_method(call) if route in RPC_ROUTES else None,
        )
        account = browser_account(self._site, call)
        entry.account = account.name if account else None
        self._site.log.begin(entry)
        return entry


def _rpc_method(call: Call) -> str | None:
    try:
        body = json.loads(call.body or call.query.get("query", ""))
    except ValueError:
        return None
    method = body.get("method") if isinstance(body, dict) else None
    return method if isinstance(method, str) else None


class _Exchange:
    """One request with the fault that it meets."""

    def __init__(self, site: Site, call: Call, entry: LogEntry) -> None:
        self._site = site
        self._call = call
        self._entry = entry
        self._fault: Fault | None = site.faults.take(
            RouteClass(entry.route), rpc_method=entry.rpc_method, grant_type=entry.grant_type
        )

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = self._fault.kind if self._fault else None
        self._entry.fault = kind.value if kind else None
        wire = Wire(scope, receive, send)
        await self._wait(kind)
        if kind is FaultKind.CLOSE_BEFORE:
            await wire.close()
        elif kind is FaultKind.HANG:
            await wire.until_client_leaves()
        else:
            await self._answer(kind, wire, scope, receive, send)

    async def _wait(self, kind: FaultKind | None) -> None:
        if kind is FaultKind.HOLD:
            await self._site.faults.gate.wait()
        elif kind is FaultKind.DELAY and self._fault is not None:
            await asyncio.sleep(self._fault.milliseconds / 1000)

    async def _answer(
        self, kind: FaultKind | None, wire: Wire, scope: Scope, receive: Receive, send: Send
    ) -> None:
        response = self._response()
        self._entry.status = response.status_code
        if kind is FaultKind.CLOSE_AFTER:
            await wire.close()
        elif kind is FaultKind.HANG_AFTER:
            await wire.until_client_leaves()
        elif kind is FaultKind.TRUNCATED:
            await wire.send_truncated(response)
        elif kind is FaultKind.OVERSIZED and self._fault is not None:
            await wire.send_oversized(self._fault.size_bytes)
        elif _is_apology(self._site, response):
            await wire.send_with_reason(response, APOLOGY_REASON)
        else:
            await response(scope, receive, send)

    def _response(self) -> Response:
        if self._fault is not None:
            canned = canned_answer(self._site.dialect, self._fault)
            if canned is not None:
                return canned
        return respond(self._site, self._call)


def _is_apology(site: Site, response: Response) -> bool:
    typed = response.headers.get("Content-Type") == HTML_TYPE
    return response.status_code == 500 and typed and bool(site.dialect.apology)
