"""Schemas as a site might send them: sound afterwards, or refused with a reason."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from functions.mcp_endpoint.tools.argument_checks import (
    ARGUMENTS_CHARACTERS_MAX,
    PROBLEMS_MAX,
    argument_problems,
)
from functions.mcp_endpoint.tools.input_schemas import (
    PROPERTY_NAME,
    SCHEMA_BYTES_MAX,
    UnusableSchemaError,
    usable_schema,
)

KEYWORDS = (
    *("type", "enum", "const", "default", "examples", "format", "pattern", "deprecated"),
    *("multipleOf", "maximum", "minimum", "required", "maxLength", "minItems", "uniqueItems"),
    *("properties", "items", "prefixItems", "additionalProperties", "allOf", "anyOf", "not", "if"),
    *("contains", "$ref", "$dynamicRef", "$defs", "definitions", "title", "description", "$id"),
    *("patternProperties", "$schema", "dependentRequired", "exclusiveMinimum", "minContains"),
    *("unevaluatedProperties", "x-mcp-header", "$anchor", "propertyNames", "oneOf"),
)
_leaves = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["object", "string", "int", "#/$defs/a", "https://e.org/s", "((", "[[a]"])
)
_names = st.sampled_from(KEYWORDS) | st.text(max_size=5)
hostile_schemas = st.dictionaries(
    _names,
    st.recursive(
        _leaves,
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_names, inner, max_size=6),
        max_leaves=30,
    ),
    max_size=8,
)


def _references(node: Any) -> bool:
    if isinstance(node, dict):
        return "$ref" in node or any(map(_references, node.values()))
    return isinstance(node, list) and any(map(_references, node))


@settings(max_examples=400, deadline=None)
@given(hostile_schemas | _leaves)
def test_whatever_comes_is_a_sound_object_schema_afterwards_or_refused(raw: Any) -> None:
    try:
        schema = usable_schema(raw)
    except UnusableSchemaError:
        return

    Draft202012Validator.check_schema(schema)
    assert schema["type"] == "object"
    assert isinstance(schema["properties"], dict)
    assert all(PROPERTY_NAME.fullmatch(name) for name in schema["properties"])
    json.dumps(schema, allow_nan=False, ensure_ascii=False).encode()
    # Checking arguments against it fetches nothing and breaks nowhere.
    argument_problems(schema, {"a": [1, {"b": None}]})


@pytest.mark.parametrize("raw", [None, [], {}, {"properties": []}, {"type": ["object", "null"]}])
def test_what_php_makes_of_an_empty_schema_takes_no_arguments(raw: Any) -> None:
    assert usable_schema(raw) == {"type": "object", "properties": {}}


def test_a_sound_schema_is_left_as_it_is() -> None:
    schema = {
        "type": "object",
        "properties": {
            "query": {"type": "string", "minLength": 2, "description": "Words"},
            "page": {"type": "object", "properties": {"limit": {"type": "integer", "maximum": 9}}},
            "types": {"type": "array", "items": {"enum": ["a", "b"]}, "uniqueItems": True},
            "id": {"anyOf": [{"type": "string", "pattern": "^[0-9]+$"}, {"type": "integer"}]},
        },
        "required": ["query"],
        "additionalProperties": False,
    }

    assert usable_schema(schema) == schema


def test_faulty_keywords_go_and_the_rest_stays() -> None:
    raw = {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "$id": "https://e.org/x",
        "oneOf": [{"required": ["a"]}],
        "properties": {
            "a": {"type": "int", "minLength": "3", "description": "<b>Bold</b>\n words\u202e"},
            "b": {"type": "array", "items": [{"type": "string"}], "required": True},
            "c": {"$ref": "#/definitions/c", "title": "C"},
            "d": "text",
            "e": {"additionalProperties": [], "pattern": "((", "default": "x\x00"},
            "f g": {"type": "string"},
        },
        "required": ["a", 7, "a"],
        "definitions": {"c": {"type": "string"}},
        "additionalProperties": False,
    }

    assert usable_schema(raw) == {
        "type": "object",
        "properties": {
            "a": {"description": "Bold words"},
            "b": {"type": "array", "prefixItems": [{"type": "string"}]},
            "c": {"type": "string", "title": "C"},
            "d": {},
            "e": {"additionalProperties": {}},
        },
        "required": ["a"],
    }


LAUGHS = {
    "properties": {"a": {"$ref": "#/$defs/d0"}},
    "$defs": {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 9} for n in range(15)}
    | {"d15": {}},
}


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        ("object", "no_object"),
        ([1], "no_object"),
        ({"type": "array"}, "no_object"),
        ({"type": ["string"]}, "no_object"),
        ({"default": float("nan")}, "no_json"),
        ({"properties": {"a": {"enum": ["x" * SCHEMA_BYTES_MAX]}}}, "too_large"),
        ({"properties": {"a": {"$ref": "https://e.org/schema"}}}, "reference"),
        ({"properties": {"a": {"$ref": "#/$defs/none"}}}, "reference"),
        ({"properties": {"a": {"$ref": "#"}}}, "reference"),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, "reference"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"$ref": "#/$defs/a"}}}, "too_deep"),
        (LAUGHS, "too_deep"),
        ({"properties": {"a b": {}}, "required": ["a b"]}, "property_name"),
    ],
)
def test_what_cannot_be_repaired_is_refused(raw: Any, reason: str) -> None:
    with pytest.raises(UnusableSchemaError) as caught:
        usable_schema(raw)

    assert caught.value.reason == reason


def test_problems_name_field_and_rule_and_no_value() -> None:
    schema = usable_schema(
        {
            "properties": {
                "id": {"type": "integer", "minimum": 1},
                "sort": {"enum": ["new", "old"]},
                "page": {"type": "object", "properties": {"limit": {"type": "integer"}}},
            },
            "required": ["id", "sort"],
            "additionalProperties": False,
        }
    )

    problems = argument_problems(
        schema, {"id": 0, "page": {"limit": "secret"}, "secret-name": "secret"}
    )

    assert problems == (
        ("arguments", "Required: sort."),
        ("arguments", "Unknown argument. Known: id, sort, page."),
        ("id", "minimum: 1."),
        ("page.limit", 'type: "integer".'),
    )


def test_a_pattern_that_could_take_for_ever_is_left_to_the_site() -> None:
    schema = usable_schema({"properties": {"a": {"type": "string", "pattern": "^(a+)+$"}}})

    assert argument_problems(schema, {"a": "a" * 40 + "!"}) == ()


def test_problems_and_arguments_are_bounded() -> None:
    many = usable_schema({"properties": {f"p{n}": {"type": "null"} for n in range(50)}})

    assert len(argument_problems(many, {f"p{n}": n for n in range(50)})) == PROBLEMS_MAX
    [(field, rule)] = argument_problems(many, {"q": "x" * ARGUMENTS_CHARACTERS_MAX})
    assert (field, "characters" in rule) == ("arguments", True)


def test_a_number_beyond_every_float_breaks_no_check() -> None:
    schema = usable_schema({"properties": {"n": {"type": "number", "multipleOf": 0.5}}})

    assert argument_problems(schema, {"n": 10**400}) == ()
    assert argument_problems(schema, {"n": 0.75}) == (("n", "multipleOf: 0.5."),)
