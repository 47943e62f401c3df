"""Input schemas of the site's tools: rebuilt as sound JSON Schema 2020-12, or refused.

Never fetches anything, and never publishes a reference, a keyword or a value that is not known to
be sound: the rest of a schema is left out, since the site checks every call itself.
"""

import json
import re
import warnings
from collections.abc import Callable, Mapping
from typing import Any, TypeGuard

from functions.mcp_endpoint.tools.plain_text import plain_text

SCHEMA_BYTES_MAX = 16_384
SCHEMA_DEPTH_MAX = 16
SCHEMA_NODES_MAX = 1_000
"""Subschemas after references are written out: a few lines of references can mean millions."""
TEXT_CHARACTERS_MAX = 500
PATTERN_CHARACTERS_MAX = 500
PROPERTY_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}")
"""What model vendors take; one other name makes them refuse the whole request."""

_TYPES = frozenset({"array", "boolean", "integer", "null", "number", "object", "string"})
_DEFINITIONS = frozenset({"$defs", "definitions"})
_ONE_SCHEMA = frozenset({"additionalProperties", "contains", "not", "if", "then", "else"})
_SEVERAL_SCHEMAS = frozenset({"allOf", "anyOf", "oneOf", "prefixItems"})
# Clients refuse tools whose schema is a choice at its root.
_NOT_AT_ROOT = _SEVERAL_SCHEMAS | {"not", "if", "then", "else", "enum", "const"}

JsonObject = dict[str, Any]


class UnusableSchemaError(ValueError):
    """A schema that cannot be repaired; ``reason`` is a word of ours for the log."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


def usable_schema(raw: object) -> JsonObject:
    """A sound schema for what the site calls a tool's input schema.

    The result is an object schema with ``properties`` and without references, valid under the
    meta-schema of JSON Schema 2020-12.

    Raises:
        UnusableSchemaError: no object schema, too large, too deep, or with references that lead
            elsewhere or nowhere.
    """
    raw = {} if raw is None or raw == [] else raw  # PHP's empty map
    if not isinstance(raw, dict):
        raise UnusableSchemaError("no_object")
    try:
        size = len(json.dumps(raw, allow_nan=False))
    except (ValueError, RecursionError):
        raise UnusableSchemaError("no_json") from None
    if size > SCHEMA_BYTES_MAX:
        raise UnusableSchemaError("too_large")
    return _Rebuilding(raw).root()


class _Rebuilding:
    """Copies what is known and sound of a schema, keyword by keyword."""

    def __init__(self, document: JsonObject) -> None:
        self._document = document
        self._nodes = 0
        self._rebuilds: Mapping[str, Callable[[str, object, int], JsonObject]] = {
            **dict.fromkeys(_ONE_SCHEMA, self._one),
            **dict.fromkeys(_SEVERAL_SCHEMAS, self._several),
            "properties": self._properties,
            "items": self._items,
            "required": _required,
            "title": _text,
            "description": _text,
        }

    def root(self) -> JsonObject:
        """The whole schema, an object schema at its root."""
        declared = self._document.get("type", "object")
        if "object" not in (declared if isinstance(declared, list) else [declared]):
            raise UnusableSchemaError("no_object")
        schema = self._schema(self._document, 0)
        kept = {key: value for key, value in schema.items() if key not in _NOT_AT_ROOT}
        return {"properties": {}, **kept, "type": "object"}

    def _schema(self, node: object, depth: int) -> JsonObject:
        self._nodes += 1
        if depth > SCHEMA_DEPTH_MAX or self._nodes > SCHEMA_NODES_MAX:
            raise UnusableSchemaError("too_deep")
        if not isinstance(node, dict):
            # PHP's empty map, or no schema at all: anything goes. `false` forbids everything.
            return {"not": {}} if node is False else {}
        if "$dynamicRef" in node or "$recursiveRef" in node:
            raise UnusableSchemaError("reference")
        named = self._schema(self._target(node["$ref"]), depth + 1) if "$ref" in node else {}
        rebuilt = {**named}
        for keyword, value in node.items():
            rebuilt.update(self._keyword(keyword, value, depth))
        return _consistent(rebuilt, node)

    def _keyword(self, keyword: str, value: object, depth: int) -> JsonObject:
        check = _CHECKS.get(keyword)
        if check is not None:
            return {keyword: value} if check(value) else {}
        rebuild = self._rebuilds.get(keyword)
        return {} if rebuild is None else rebuild(keyword, value, depth)

    def _one(self, keyword: str, value: object, depth: int) -> JsonObject:
        if keyword == "additionalProperties" and isinstance(value, bool):
            return {keyword: value}
        return {keyword: self._schema(value, depth + 1)}

    def _several(self, keyword: str, value: object, depth: int) -> JsonObject:
        items = value if isinstance(value, list) else []
        return {keyword: [self._schema(item, depth + 1) for item in items]} if items else {}

    def _properties(self, keyword: str, value: object, depth: int) -> JsonObject:
        listed = value if isinstance(value, dict) else {}
        sound = {name: item for name, item in listed.items() if is_name(name)}
        return {keyword: {name: self._schema(item, depth + 1) for name, item in sound.items()}}

    def _items(self, keyword: str, value: object, depth: int) -> JsonObject:
        """``items``; an array of schemas is what earlier drafts called a tuple."""
        if isinstance(value, list) and value:
            return self._several("prefixItems", value, depth)
        return self._one(keyword, value, depth)

    def _target(self, reference: object) -> object:
        """What a reference within the document means; it is written out in its place."""
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise UnusableSchemaError("reference")
        section, _, name = reference.removeprefix("#/").partition("/")
        definitions = self._document.get(section) if section in _DEFINITIONS else None
        if not isinstance(definitions, dict) or name not in definitions:
            raise UnusableSchemaError("reference")
        return definitions[name]


def is_name(name: object) -> bool:
    """Whether every client takes ``name`` as that of a property."""
    return isinstance(name, str) and PROPERTY_NAME.fullmatch(name) is not None


def _texts(value: object) -> list[str]:
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _required(keyword: str, value: object, _depth: int) -> JsonObject:
    names = dict.fromkeys(name for name in _texts(value) if is_name(name))
    return {keyword: list(names)} if names else {}


def _text(keyword: str, value: object, _depth: int) -> JsonObject:
    return {keyword: plain_text(value, TEXT_CHARACTERS_MAX)} if isinstance(value, str) else {}


def _consistent(rebuilt: JsonObject, node: JsonObject) -> JsonObject:
    """``rebuilt`` with what its keywords need of each other.

    A property left out for its name may not be required, nor may the others be all that is
    allowed.
    """
    listed = node.get("properties")
    dropped = {name for name in listed if not is_name(name)} if isinstance(listed, dict) else set()
    if not dropped.isdisjoint(_texts(node.get("required"))):
        raise UnusableSchemaError("property_name")
    if dropped or "patternProperties" in node:
        rebuilt.pop("additionalProperties", None)
    return rebuilt


def _is_type(value: object) -> bool:
    if isinstance(value, list):
        names = _texts(value)
        return 0 < len(names) == len(value) == len(set(names)) and set(names) <= _TYPES
    return isinstance(value, str) and value in _TYPES


def _is_number(value: object) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_pattern(value: object) -> bool:
    if not isinstance(value, str) or len(value) > PATTERN_CHARACTERS_MAX:
        return False
    try:
        with warnings.catch_warnings(action="error"):
            re.compile(value)
    except (re.error, RecursionError, OverflowError, Warning):
        return False
    return value.isprintable()


def _is_clean(value: object, depth: int = 0) -> bool:
    """Whether a value is shallow, and holds nothing that Postgres or UTF-8 cannot."""
    if isinstance(value, str):
        return not any(char == "\x00" or "\ud800" <= char <= "\udfff" for char in value)
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if not isinstance(value, list):
        return True
    return depth < SCHEMA_DEPTH_MAX and all(_is_clean(item, depth + 1) for item in value)


_CHECKS: Mapping[str, Callable[[object], bool]] = {
    "type": _is_type,
    "enum": lambda value: isinstance(value, list) and bool(value) and _is_clean(value),
    "const": _is_clean,
    "default": _is_clean,
    "examples": lambda value: isinstance(value, list) and _is_clean(value),
    "format": lambda value: isinstance(value, str) and value.isprintable(),
    "pattern": _is_pattern,
    "deprecated": lambda value: isinstance(value, bool),
    "uniqueItems": lambda value: isinstance(value, bool),
    "multipleOf": lambda value: _is_number(value) and value > 0,
    **dict.fromkeys(("maximum", "minimum", "exclusiveMaximum", "exclusiveMinimum"), _is_number),
    **dict.fromkeys(("maxLength", "minLength", "maxItems", "minItems"), _is_count),
    **dict.fromkeys(("minContains", "maxContains", "maxProperties", "minProperties"), _is_count),
}
"""Keywords without subschemas, and which of their values are sound."""
