"""What a JSON-RPC method of the site is, and the ways in which one fails.

Never knows a particular method; those are in ``methods``.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from scripts.fake_drupal.bearer import Caller
from scripts.fake_drupal.site import Site

JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
Handler: TypeAlias = Callable[[Site, Caller, Mapping[str, JsonValue]], JsonValue]

INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603

TITLES: dict[int, str] = {
    INVALID_REQUEST: "Invalid Request",
    METHOD_NOT_FOUND: "Method Not Found",
    INVALID_PARAMS: "Invalid Params",
    INTERNAL_ERROR: "Internal Error",
}


class RpcError(Exception):
    """An error that a method raises on purpose; its answer carries ``"id": null``."""

    def __init__(self, data: JsonValue, *, code: int = INVALID_PARAMS, title: str = "") -> None:
        super().__init__(code)
        self.code = code
        self.data = data
        self.title = title or TITLES[code]


class RpcBrokenError(Exception):
    """Any other exception of a method; its text ends up in ``error.data``."""


class AuthLevel(StrEnum):
    """What a tool demands before its body is looked at."""

    REQUIRED = "required"
    OPTIONAL = "optional"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class ToolNotes:
    """How a method shows as an MCP tool; ``scopes`` in the words of the 6.x dialect."""

    title: str
    category: str | None = None
    level: AuthLevel | None = None
    scopes: tuple[str, ...] = ()
    auth_description: str | None = None
    extra: Mapping[str, JsonValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class RpcMethod:
    """A method: parameter schemas by name, which are required, who may call it."""

    name: str
    description: str
    handler: Handler
    permission: str | None = None
    params: Mapping[str, dict[str, JsonValue]] = field(default_factory=dict)
    required: tuple[str, ...] = ()
    output: Mapping[str, JsonValue] = field(default_factory=lambda: {"type": "object"})
    tool: ToolNotes | None = None
    tool_name: str | None = None

    @property
    def listed_name(self) -> str:
        """Name in the tool list."""
        return self.tool_name or self.name

    def visible_to(self, caller: Caller) -> bool:
        """Whether the caller may know of it."""
        return self.permission is None or self.permission in caller.permissions
