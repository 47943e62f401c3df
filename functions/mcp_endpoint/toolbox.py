"""Every tool that a person can call: ours, and those that the site has for them.

Never hides our own tools because the site's could not be listed.
"""

from typing import Protocol

from mcp_types import Tool, ToolAnnotations

from functions.mcp_endpoint.call_state import CallState
from functions.mcp_endpoint.tool_errors import is_identity_error, noted
from functions.mcp_endpoint.tools.catalogue import ToolCatalogue
from functions.mcp_endpoint.tools.definitions import CallableTool
from functions.mcp_endpoint.tools.site_tools import OfferedSiteTool, SiteToolRunner
from shared.domain.grants import AuthenticatedCall
from shared.domain.scopes import Scope
from shared.domain.site_tools import SiteTool


class SiteToolLists(Protocol):
    """The site's tools for a person."""

    async def tools(self, call: AuthenticatedCall) -> tuple[SiteTool, ...]:
        """All of them."""
        ...

    async def find(self, name: str, call: AuthenticatedCall) -> SiteTool | None:
        """One by its published name."""
        ...

    async def find_listed(self, name: str, call: AuthenticatedCall) -> SiteTool | None:
        """One, if it was listed lately; the site is not asked."""
        ...

    def doubt(self, call: AuthenticatedCall) -> None:
        """The person's list turned out to be wrong."""
        ...


class NoSiteTools:
    """In place of the lists, where the site's own tools are not offered."""

    async def tools(self, _call: AuthenticatedCall) -> tuple[SiteTool, ...]:
        """None."""
        return ()

    async def find(self, _name: str, _call: AuthenticatedCall) -> SiteTool | None:
        """Never found."""
        return None

    async def find_listed(self, _name: str, _call: AuthenticatedCall) -> SiteTool | None:
        """Never found."""
        return None

    def doubt(self, _call: AuthenticatedCall) -> None:
        """There is nothing to be wrong."""


class Toolbox:
    """Our tools and the site's, as one."""

    def __init__(self, own: ToolCatalogue, lists: SiteToolLists, runner: SiteToolRunner) -> None:
        self.own = own
        self._lists = lists
        self._runner = runner

    async def tools_for(self, state: CallState) -> list[Tool]:
        """The listing for a person: ours in their order, then the site's by name."""
        tools = self.own.tools_for(state.call.scopes)
        taken = self.own.names
        site_tools = await self._site_tools(state) if _may_use_site(state.call) else ()
        return tools + [_as_tool(tool) for tool in site_tools if tool.name not in taken]

    async def find(self, name: str, call: AuthenticatedCall) -> CallableTool | None:
        """The tool of this name, if the person can call it."""
        own = self.own.find(name)
        if own is not None or not _may_use_site(call):
            return own
        found = await self._lists.find(name, call)
        return None if found is None else OfferedSiteTool(found, self._runner)

    async def scope_needed(self, name: str, call: AuthenticatedCall) -> Scope | None:
        """The permission that the tool of this name needs; None if none, or there is no tool."""
        own = self.own.find(name)
        if own is not None:
            return own.scope
        if _may_use_site(call):
            return None  # which it has; whether the tool exists shows when it is called
        listed = await self._lists.find_listed(name, call)
        return None if listed is None else Scope.SITE_TOOLS

    def doubt(self, call: AuthenticatedCall) -> None:
        """The site has refused this person something: what it listed for them may have changed."""
        self._lists.doubt(call)

    async def _site_tools(self, state: CallState) -> tuple[SiteTool, ...]:
        try:
            return await self._lists.tools(state.call)
        except Exception as error:  # noqa: BLE001 - our own tools are listed whatever it is
            known = noted(error, told=False)
            if is_identity_error(known):
                state.withdrawn = known
            return ()


def _may_use_site(call: AuthenticatedCall) -> bool:
    return Scope.SITE_TOOLS.value in call.scopes


def _as_tool(tool: SiteTool) -> Tool:
    return Tool(
        name=tool.name,
        title=tool.title,
        description=tool.description,
        input_schema=dict(tool.input_schema),
        annotations=ToolAnnotations(
            title=tool.title,
            read_only_hint=tool.read_only,
            destructive_hint=tool.destructive,
            idempotent_hint=tool.idempotent,
            open_world_hint=True,
        ),
    )
