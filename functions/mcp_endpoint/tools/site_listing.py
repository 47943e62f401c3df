"""What the site listed, turned into tools that every client takes.

One bad item is repaired or left out with a line in the log; it never costs another one.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from functions.mcp_endpoint.tools.input_schemas import (
    JsonObject,
    UnusableSchemaError,
    usable_schema,
)
from functions.mcp_endpoint.tools.plain_text import plain_text
from shared.domain.site_tools import SiteTool, published_names, remembered_names
from shared.observability.logging import log
from shared.upstream.drupal_tools import ListedTool

TOOLS_MAX = 100
SCHEMAS_CHARACTERS_MAX = 262_144
"""Of all tools of a person together; they are kept in a row and sent in one answer."""
SITE_NAME_CHARACTERS_MAX = 500
TITLE_CHARACTERS_MAX = 100
DESCRIPTION_CHARACTERS_MAX = 1_000

_EVERYBODYS_SCOPE = "authenticated"
"""A role that Drupal counts among the scopes of every person's token, asked for or not."""
_LEVELS_WITHOUT_SCOPES = frozenset({"none", "optional"})
_LOGGED_CHARACTERS_MAX = 80
_NO_TITLE = "A tool of the site"


class UnusableToolError(ValueError):
    """A listed tool that is not offered; ``reason`` is a word of ours."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True, kw_only=True)
class ListingRules:
    """What decides which of the site's tools are offered, and under which name."""

    own_names: frozenset[str]
    """Names of our own tools: no tool of the site gets one of these."""
    wrapped_methods: frozenset[str]
    """Methods of the site that our own tools call; with dots and with hyphens they are the same."""
    site_scopes: frozenset[str] = field(default_factory=frozenset)
    """Scopes that we ask of the site at a sign-in: what needs another one would be refused."""

    def is_wrapped(self, site_name: str) -> bool:
        """Whether one of our own tools stands for this one."""
        return site_name.replace("-", ".") in {
            method.replace("-", ".") for method in self.wrapped_methods
        }


def offered_tools(
    listed: Iterable[ListedTool], rules: ListingRules, *, known_names: Mapping[str, str]
) -> tuple[tuple[SiteTool, ...], dict[str, str]]:
    """The tools to offer, ordered by published name, and the names to remember for next time."""
    sound: dict[str, JsonObject] = {}
    for tool in listed:
        if rules.is_wrapped(tool.name):
            continue
        if tool.name in sound:
            _log_left_out(tool.name, "twin")
            continue
        try:
            sound[tool.name] = _sound_members(tool, rules)
        except (UnusableToolError, UnusableSchemaError) as error:
            _log_left_out(tool.name, error.reason)
    names = published_names(sound, reserved=rules.own_names, known=known_names)
    tools = [SiteTool(site_name=key, name=names[key], **sound[key]) for key in sound]
    kept = tuple(_within_limits(sorted(tools, key=lambda tool: tool.name)))
    return kept, remembered_names(names, known_names)


def _sound_members(tool: ListedTool, rules: ListingRules) -> JsonObject:
    if not tool.name.strip() or len(tool.name) > SITE_NAME_CHARACTERS_MAX:
        raise UnusableToolError("name")
    if any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in tool.name):
        raise UnusableToolError("name")
    if not _required_scopes(tool.annotations) <= rules.site_scopes | {_EVERYBODYS_SCOPE}:
        raise UnusableToolError("scope")
    titles = (_text(value, TITLE_CHARACTERS_MAX) for value in (tool.title, tool.name))
    title = next(filter(None, titles), _NO_TITLE)
    return {
        "title": title,
        "description": _text(tool.description, DESCRIPTION_CHARACTERS_MAX) or title,
        "input_schema": usable_schema(tool.input_schema),
        **_hints(tool.annotations),
    }


def _required_scopes(annotations: Mapping[str, Any]) -> frozenset[str]:
    """The site's scopes without which it refuses a call; a missing level means required."""
    auth = annotations.get("auth")
    if not isinstance(auth, Mapping) or str(auth.get("level")) in _LEVELS_WITHOUT_SCOPES:
        return frozenset()
    scopes = auth.get("scopes")
    scopes = list(scopes.values()) if isinstance(scopes, Mapping) else scopes
    return frozenset(map(str, scopes)) if isinstance(scopes, list) else frozenset()


def _hints(annotations: Mapping[str, Any]) -> dict[str, bool]:
    """MCP's own hints where the site gives them; else the worst case, as MCP says."""
    read_only = annotations.get("readOnlyHint") is True
    return {
        "read_only": read_only,
        "destructive": not read_only and annotations.get("destructiveHint") is not False,
        "idempotent": read_only or annotations.get("idempotentHint") is True,
    }


def _text(value: object, characters_max: int) -> str:
    return plain_text(value, characters_max) if isinstance(value, str) else ""


def _within_limits(tools: Iterable[SiteTool]) -> Iterator[SiteTool]:
    characters = 0
    for number, tool in enumerate(tools, start=1):
        characters += len(json.dumps(tool.input_schema))
        if number > TOOLS_MAX or characters > SCHEMAS_CHARACTERS_MAX:
            _log_left_out(tool.site_name, "too_many")
            continue
        yield tool


def _log_left_out(site_name: str, reason: str) -> None:
    log.warning(
        "tool of the site left out",
        site_tool=_text(site_name, _LOGGED_CHARACTERS_MAX),
        reason=reason,
    )
