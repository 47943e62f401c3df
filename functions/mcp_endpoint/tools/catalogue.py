"""Our own tools, in the order in which they are listed: one explicit list.

Never offers a tool that the session's scopes do not allow.
"""

from collections.abc import Iterable
from functools import cached_property

from mcp_types import Tool, ToolAnnotations

from functions.mcp_endpoint.tools import account_tools, connector_tools, content_tools
from functions.mcp_endpoint.tools.account_tools import AccountTools
from functions.mcp_endpoint.tools.connector_tools import ConnectorTools
from functions.mcp_endpoint.tools.content_tools import ContentTools
from functions.mcp_endpoint.tools.definitions import ToolDefinition
from shared.domain.scopes import SCOPES_OFFERED, Scope


class ToolCatalogue:
    """Every tool by name, and what a caller may see of them."""

    def __init__(self, definitions: Iterable[ToolDefinition]) -> None:
        self._definitions = {definition.name: definition for definition in definitions}

    @property
    def names(self) -> frozenset[str]:
        """The names of all tools, whoever may call them."""
        return frozenset(self._definitions)

    def find(self, name: str) -> ToolDefinition | None:
        """The tool of this name."""
        return self._definitions.get(name)

    def names_for(self, scopes: Iterable[str]) -> tuple[str, ...]:
        """The names of the tools that a session with ``scopes`` may call, in listing order."""
        granted = frozenset(scopes)
        return tuple(
            name
            for name, definition in self._definitions.items()
            if definition.scope is None or definition.scope.value in granted
        )

    def tools_for(self, scopes: Iterable[str]) -> list[Tool]:
        """The listing for a session with ``scopes``."""
        return [self._tools[name] for name in self.names_for(scopes)]

    def input_schema(self, name: str) -> dict[str, object] | None:
        """The input schema of a tool, for the SDK's check of parameter headers."""
        tool = self._tools.get(name)
        return tool.input_schema if tool is not None else None

    @cached_property
    def _tools(self) -> dict[str, Tool]:
        return {name: _as_tool(definition) for name, definition in self._definitions.items()}


def build_catalogue(
    content: ContentTools, *, scopes_offered: tuple[str, ...] = SCOPES_OFFERED
) -> ToolCatalogue:
    """The list: a new tool gets one line here."""

    def names_for(scopes: Iterable[str]) -> tuple[str, ...]:
        return catalogue.names_for(scopes)

    account = AccountTools(names_for=names_for, scopes_offered=scopes_offered)
    connector = ConnectorTools(content)
    catalogue = ToolCatalogue(
        (
            content_tools.search_definition(content),
            content_tools.read_definition(content),
            connector_tools.connector_search_definition(connector),
            connector_tools.connector_fetch_definition(connector),
            account_tools.status_definition(account),
        )
    )
    return catalogue


def scopes_to_ask(needed: Iterable[Scope], granted: Iterable[str]) -> tuple[str, ...]:
    """The needed and the granted scopes together, in the order in which scopes are offered."""
    wanted = {*(scope.value for scope in needed), *granted}
    return tuple(scope for scope in SCOPES_OFFERED if scope in wanted)


def _as_tool(definition: ToolDefinition) -> Tool:
    return Tool(
        name=definition.name,
        title=definition.title,
        description=definition.description,
        input_schema=definition.arguments.model_json_schema(),
        output_schema=definition.output_schema,
        annotations=ToolAnnotations(
            title=definition.title,
            read_only_hint=True,
            destructive_hint=False,
            idempotent_hint=True,
            open_world_hint=definition.limit is not None,
        ),
    )
