"""Which permissions a message needs that its session does not have.

Never decides what a person may see at the site: only what they allowed this client.
"""

from functions.mcp_endpoint.messages import IncomingMessage
from functions.mcp_endpoint.prompts import Prompts
from functions.mcp_endpoint.resources import Resources
from functions.mcp_endpoint.toolbox import Toolbox
from shared.domain.grants import AuthenticatedCall
from shared.domain.scopes import Scope


class Permissions:
    """The rule over tools, resources and prompts."""

    def __init__(self, toolbox: Toolbox, resources: Resources, prompts: Prompts) -> None:
        self._toolbox = toolbox
        self._resources = resources
        self._prompts = prompts

    async def missing(self, message: IncomingMessage, call: AuthenticatedCall) -> tuple[Scope, ...]:
        """The scopes that ``message`` needs beyond those of the session."""
        needed = await self._needed(message, call)
        return tuple(scope for scope in needed if scope.value not in call.scopes)

    async def _needed(self, message: IncomingMessage, call: AuthenticatedCall) -> tuple[Scope, ...]:
        if message.tool_name is not None:
            scope = await self._toolbox.scope_needed(message.tool_name, call)
            return () if scope is None else (scope,)
        if message.method == "resources/read":
            return self._resources.scopes_needed(message.params.get("uri"))
        if message.method == "prompts/get":
            return self._prompts.scopes_needed(message.params.get("name"))
        return ()
