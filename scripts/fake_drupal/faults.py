"""One-off faults: which answer of the next requests goes wrong, and how.

Only plans; ``fault_answers`` and ``app`` carry them out. Never applies to ``/_control``.
"""

import asyncio
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field


class RouteClass(StrEnum):
    """Kinds of request that a fault can be aimed at."""

    ANY = "any"
    LOGIN = "login"
    AUTHORIZE = "authorize"
    TOKEN = "token"  # noqa: S105 - a route class
    REVOKE = "revoke"
    USERINFO = "userinfo"
    DISCOVERY = "discovery"
    JSONRPC = "jsonrpc"
    TOOLS = "tools"
    OTHER = "other"


ROUTE_PREFIXES: tuple[tuple[str, RouteClass], ...] = (
    ("/user", RouteClass.LOGIN),
    ("/oauth/authorize", RouteClass.AUTHORIZE),
    ("/oauth/token", RouteClass.TOKEN),
    ("/oauth/revoke", RouteClass.REVOKE),
    ("/oauth/introspect", RouteClass.REVOKE),
    ("/oauth/userinfo", RouteClass.USERINFO),
    ("/oauth/jwks", RouteClass.DISCOVERY),
    ("/.well-known", RouteClass.DISCOVERY),
    ("/jsonrpc", RouteClass.JSONRPC),
    ("/mcp/tools", RouteClass.TOOLS),
)


def classify(path: str) -> RouteClass:
    """The route class of a path."""
    for prefix, route in ROUTE_PREFIXES:
        if path.startswith(prefix):
            return route
    return RouteClass.OTHER


class FaultKind(StrEnum):
    """Everything that can go wrong with one request."""

    DELAY = "delay"
    HOLD = "hold"
    HANG = "hang"
    CLOSE_BEFORE = "close_before"
    CLOSE_AFTER = "close_after"
    HANG_AFTER = "hang_after"
    TRUNCATED = "truncated"
    OVERSIZED = "oversized"
    ERROR_JSON = "error_json"
    ERROR_HTML = "error_html"
    MAINTENANCE_HTML = "maintenance_html"
    MAINTENANCE_TEXT = "maintenance_text"
    INSTALL_REDIRECT = "install_redirect"
    PROXY_PAGE = "proxy_page"
    RATE_LIMITED = "rate_limited"
    BOT_CHALLENGE = "bot_challenge"
    NOT_JSON = "not_json"
    UNAUTHORIZED = "unauthorized"
    UNAUTHORIZED_SERVER_ERROR = "unauthorized_server_error"


class Fault(BaseModel):
    """A planned fault: ``skip`` requests pass first, then ``times`` requests meet it."""

    model_config = ConfigDict(extra="forbid")

    kind: FaultKind
    route: RouteClass = RouteClass.ANY
    times: int = Field(default=1, ge=1)
    skip: int = Field(default=0, ge=0)
    milliseconds: int = Field(default=0, ge=0, description="Of a delay.")
    retry_after_seconds: int | None = Field(default=None, ge=0)
    size_bytes: int = Field(default=10_000_000, ge=0, description="Of an oversized body.")
    rpc_method: str | None = Field(default=None, description="Only calls of this method.")
    grant_type: str | None = Field(default=None, description="Only this grant at the token route.")


class Gate:
    """Where held requests wait; opened by hand."""

    def __init__(self) -> None:
        self._reached = asyncio.Event()
        self._open = asyncio.Event()
        self.waiting = 0

    async def wait(self) -> None:
        """Pass when the gate is opened."""
        self.waiting += 1
        self._reached.set()
        try:
            await self._open.wait()
        finally:
            self.waiting -= 1

    async def reached(self, *, timeout_seconds: float = 10.0) -> None:
        """Until a request waits at the gate.

        Raises:
            TimeoutError: none came in time.
        """
        async with asyncio.timeout(timeout_seconds):
            await self._reached.wait()

    def release(self) -> None:
        """Let everything through, now and later."""
        self._open.set()

    @property
    def is_released(self) -> bool:
        """Whether nothing waits here any more."""
        return self._open.is_set()


class FaultPlan:
    """The planned faults, taken in the order of planning; one fault per request."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self.gate = Gate()

    def plan(self, fault: Fault) -> None:
        """Add a fault behind those already planned; a new hold waits at a closed gate."""
        if fault.kind is FaultKind.HOLD and self.gate.is_released:
            self.gate = Gate()
        self._faults.append(fault.model_copy())

    def take(
        self, route: RouteClass, *, rpc_method: str | None, grant_type: str | None
    ) -> Fault | None:
        """The fault for this request, used up once per call."""
        for fault in self._faults:
            if not _aimed_at(fault, route, rpc_method=rpc_method, grant_type=grant_type):
                continue
            if fault.skip > 0:
                fault.skip -= 1
                continue
            fault.times -= 1
            if fault.times == 0:
                self._faults.remove(fault)
            return fault
        return None

    def pending(self) -> list[Fault]:
        """Planned and not yet met."""
        return list(self._faults)

    def clear(self) -> None:
        """Drop the plan and let held requests go."""
        self._faults.clear()
        self.gate.release()
        self.gate = Gate()


def _aimed_at(
    fault: Fault, route: RouteClass, *, rpc_method: str | None, grant_type: str | None
) -> bool:
    return (
        fault.route in (RouteClass.ANY, route)
        and fault.rpc_method in (None, rpc_method)
        and fault.grant_type in (None, grant_type)
    )
