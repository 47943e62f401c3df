"""What one authenticated request knows about itself, carried in its ASGI scope to the tools.

Never outlives its request.
"""

from dataclasses import dataclass

from functions.mcp_endpoint.answers import Scope
from shared.domain.content import Document, FoundPage
from shared.domain.grants import AuthenticatedCall
from shared.domain.identifiers import CallId
from shared.errors.base import ServiceError
from shared.state.calls import UsageRow

_SCOPE_KEY = "drupalize_mcp.call_state"


@dataclass(slots=True, kw_only=True)
class CallState:
    """The caller, and what the tool wants done with the answer around its result."""

    call: AuthenticatedCall
    request_id: str | int | None
    call_id: CallId | None = None
    """Set when the call holds one of the person's slots."""
    refusal: ServiceError | None = None
    """Set when the person calls too often or too much at once: the tool does not run."""
    response_started: bool = False
    """Whether the client has received anything yet."""
    withdrawn: ServiceError | None = None
    """Set when the grant dies during the call: the answer becomes a 401 if it has not started."""
    usage: UsageRow | None = None
    shown: Document | None = None
    found: FoundPage | None = None


def attach(scope: Scope, state: CallState) -> Scope:
    """A copy of ``scope`` that carries ``state``."""
    return {**scope, _SCOPE_KEY: state}


def state_of(scope: Scope) -> CallState:
    """The state that ``attach`` put into the scope of this request."""
    state = scope.get(_SCOPE_KEY)
    if not isinstance(state, CallState):
        raise TypeError("the scope carries no call state")
    return state
