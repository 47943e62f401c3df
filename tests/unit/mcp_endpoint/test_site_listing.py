"""Items of the site's list, one by one and as a list."""

import json
from dataclasses import asdict
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from functions.mcp_endpoint.tools.site_listing import (
    DESCRIPTION_CHARACTERS_MAX,
    SCHEMAS_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
    TOOLS_MAX,
    offered_tools,
)
from shared.domain.site_tools import PUBLISHED_NAME, SiteTool
from shared.upstream.drupal_tools import ListedTool
from tests.unit.mcp_endpoint.stand_ins import RULES
from tests.unit.mcp_endpoint.test_input_schemas import hostile_schemas

_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner),
    max_leaves=8,
)
_annotations = st.dictionaries(
    st.sampled_from(["auth", "readOnlyHint", "destructiveHint", "category"]),
    st.fixed_dictionaries({"level": _values, "scopes": _values}) | _values,
)
hostile_tools = st.builds(
    ListedTool,
    name=st.text(max_size=300) | st.sampled_from(["a.b", "a_b", "a b", "search", "tutorial-get"]),
    title=_values,
    description=_values | st.just("<script>x</script> " * 3_000),
    input_schema=hostile_schemas,
    annotations=_annotations,
)


def _offered(*listed: ListedTool) -> tuple[SiteTool, ...]:
    return offered_tools(listed, RULES, known_names={})[0]


@settings(max_examples=60, deadline=None)
@given(st.lists(hostile_tools, max_size=5))
def test_every_offered_tool_is_one_that_all_clients_take(listed: list[ListedTool]) -> None:
    sound = ListedTool(name="the.sound_one", input_schema={"properties": []})
    tools = _offered(*listed, sound)

    names = [tool.name for tool in tools]
    assert "the.sound_one" in {tool.site_name for tool in tools}
    assert names == sorted(set(names))
    for tool in tools:
        assert PUBLISHED_NAME.fullmatch(tool.name)
        assert tool.name not in RULES.own_names
        assert not RULES.is_wrapped(tool.site_name)
        Draft202012Validator.check_schema(dict(tool.input_schema))
        assert tool.input_schema["type"] == "object"
        assert isinstance(tool.input_schema["properties"], dict)
        assert 1 <= len(tool.title) <= TITLE_CHARACTERS_MAX
        assert 1 <= len(tool.description) <= DESCRIPTION_CHARACTERS_MAX
        stored = json.dumps(asdict(tool))
        assert "\\u0000" not in stored.replace("\\\\", "")
        json.dumps(asdict(tool), ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "name", ["dme_mcp.search_content", "dme_mcp-search_content", "tutorial.get", "tutorial-get"]
)
def test_a_method_that_our_own_tools_call_is_not_offered_again(name: str) -> None:
    assert _offered(ListedTool(name=name)) == ()


@pytest.mark.parametrize(
    ("auth", "offered"),
    [
        (None, True),
        ({"level": "required"}, True),
        ({"level": "required", "scopes": ["tutorial:read", "member"]}, True),
        ({"level": "required", "scopes": {"3": "tutorial:read"}}, True),
        ({"scopes": ["authenticated"]}, True),
        ({"scopes": ["user:write"]}, False),
        ({"level": "required", "scopes": ["tutorial:read", "user:write"]}, False),
        ({"level": ["odd"], "scopes": ["user:write"]}, False),
        ({"level": "optional", "scopes": ["user:write"]}, True),
        ({"level": "none", "scopes": ["user:write"]}, True),
    ],
)
def test_a_tool_is_offered_if_the_scopes_asked_of_the_site_cover_it(
    auth: Any, *, offered: bool
) -> None:
    assert bool(_offered(ListedTool(name="a", annotations={"auth": auth}))) is offered


@pytest.mark.parametrize(
    ("annotations", "hints"),
    [
        ({}, (False, True, False)),
        ({"readOnlyHint": True, "destructiveHint": True}, (True, False, True)),
        ({"destructiveHint": False, "idempotentHint": True}, (False, False, True)),
        ({"readOnlyHint": "yes"}, (False, True, False)),
    ],
)
def test_a_tool_may_change_things_unless_the_site_says_otherwise(
    annotations: dict[str, Any], hints: tuple[bool, bool, bool]
) -> None:
    [tool] = _offered(ListedTool(name="a", annotations=annotations))

    assert (tool.read_only, tool.destructive, tool.idempotent) == hints


def test_what_is_missing_is_made_of_the_rest() -> None:
    [tool] = _offered(ListedTool(name="user.me", title="  <i>My</i> account "))

    assert (tool.name, tool.title, tool.description) == ("user_me", "My account", "My account")


def test_a_list_is_bounded_in_number_and_size(caplog: pytest.LogCaptureFixture) -> None:
    many = _offered(*(ListedTool(name=f"t{n:03}") for n in range(TOOLS_MAX + 20)))
    big = {"properties": {"a": {"enum": ["x" * 15_000]}}}
    large = _offered(*(ListedTool(name=f"t{n:03}", input_schema=big) for n in range(30)))

    assert [tool.name for tool in many] == [f"t{n:03}" for n in range(TOOLS_MAX)]
    assert sum(len(json.dumps(tool.input_schema)) for tool in large) <= SCHEMAS_CHARACTERS_MAX
    assert len(large) == 17
    assert "tool of the site left out" in caplog.messages


@pytest.mark.parametrize("name", ["", "  ", "x" * 501, "a\x00b", "a\ud800b"])
def test_a_name_that_cannot_be_kept_is_left_out(name: str) -> None:
    assert _offered(ListedTool(name=name), ListedTool(name="b")) == _offered(ListedTool(name="b"))
