"""Saved queries ask for messages and fields that are logged, and runbooks know them by name."""

import ast
import functools
import re
from typing import Any, Final

import pytest

from tests.promises.deployed import template
from tests.promises.tree import ROOT, files

QUERY: Final = "AWS::Logs::QueryDefinition"
LANGUAGE: Final = frozenset(
    {
        *("filter", "stats", "count", "by", "sort", "desc", "asc", "limit", "display", "max"),
        *("min", "pct", "bin", "like", "in", "ispresent", "and", "or", "not", "m"),
    }
)
OF_EVERY_LINE: Final = frozenset({"correlation_id", "level", "message", "service", "timestamp"})
"""Written by the formatter."""

_QUOTED = re.compile(r'"([^"]*)"|(?<=like )/(.*?)/(?=\n|$)')
_MESSAGES = re.compile(r'message = "([^"]+)"')
_PATTERNS = re.compile(r"(?<!@)message like /([^/]+)/")
_WORDS = re.compile(r"@?[a-z_]+")
_USED = re.compile(r'^saved "([^"]+)"', re.MULTILINE)


def queries() -> dict[str, str]:
    """The saved queries by their names within a stage."""
    return {
        one["Properties"]["Name"]["Fn::Sub"].rpartition("/")[2]: one["Properties"]["QueryString"]
        for one in template()["Resources"].values()
        if one["Type"] == QUERY
    }


@functools.cache
def logged() -> tuple[frozenset[str], frozenset[str]]:
    """Names of fields that our lines can have, and their messages."""
    fields, messages = set(OF_EVERY_LINE), set()
    for path in files():
        if path.suffix == ".py" and path.parts[0] in {"functions", "shared"}:
            for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
                fields |= _fields(node)
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    messages.add(node.value)
    return frozenset(fields), frozenset(messages)


def _fields(node: ast.AST) -> set[str]:
    """Keywords of calls that log or note, and keys of facts that errors carry."""
    if isinstance(node, ast.Call):
        called = ast.unparse(node.func).rpartition(".")
        if called[0] == "log" or called[2] in {"note", "write", "report"}:
            return {keyword.arg for keyword in node.keywords if keyword.arg}
    keys: list[Any] = node.keys if isinstance(node, ast.Dict) else []
    if isinstance(node, ast.Subscript):
        keys = [node.slice]
    return {
        key.value for key in keys if isinstance(key, ast.Constant) and isinstance(key.value, str)
    }


def unknown(query: str) -> list[str]:
    """Fields and messages of a query that no line of ours has."""
    fields, messages = logged()
    words = set(_WORDS.findall(_QUOTED.sub("", query)))
    found = [word for word in words - LANGUAGE - fields if not word.startswith("@")]
    found += [text for text in _MESSAGES.findall(query) if text not in messages]
    for pattern in _PATTERNS.findall(query):
        found += [
            part for part in pattern.split("|") if not any(re.search(part, one) for one in messages)
        ]
    return sorted(found)


def test_saved_queries_ask_for_what_is_logged() -> None:
    assert len(queries()) >= 10
    assert {name: found for name, text in queries().items() if (found := unknown(text))} == {}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ('filter message = "invocation is over"', ["invocation is over"]),
        ("filter message like /revived|sleeps tight/", ["sleeps tight"]),
        ("stats count() by error_kode", ["error_kode"]),
        ("stats max(duration_ms) by bin(5m)", ["duration_ms"]),
    ],
)
def test_a_query_for_what_nobody_logs_would_be_found(query: str, found: list[str]) -> None:
    assert unknown(query) == found


def test_runbooks_know_the_saved_queries_by_name_and_no_others() -> None:
    pages = [*(ROOT / "docs/runbooks").glob("*.md"), ROOT / "docs/tracing.md"]
    texts = {page.name: page.read_text("utf-8") for page in pages}
    used = {name for text in texts.values() for name in _USED.findall(text)}

    assert used - set(queries()) == set()
    assert set(queries()) - used == {"one request"}
    assert "saved query `one request`" in texts["tracing.md"]
