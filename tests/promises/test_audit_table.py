"""The table of docs/audit.md tells of everything that people, jobs and operators can do here."""

import ast
import importlib
import re
from collections.abc import Iterator
from typing import Final

from functions.mcp_endpoint.resources import USAGE_NAME
from functions.mcp_endpoint.tools.site_tools import METRIC_NAME
from shared.domain.scopes import Scope
from shared.domain.tool_permissions import TOOL_SCOPES
from shared.settings import FUNCTION_SETTINGS
from shared.state.audit_events import AuditAction
from tests.promises.tree import ROOT

ENDPOINTS: Final = "functions/oauth/endpoints"
METHODS: Final = {"get": "GET", "post": "POST", "api_route": "GET"}
_ROW: Final = re.compile(r"^\| (?:`([^`]+)`|([^|`]+)) \| ([^|]+) \|$", re.MULTILINE)


def table() -> dict[str, str]:
    """Every row: what is done, and what holds it."""
    text = (ROOT / "docs/audit.md").read_text(encoding="utf-8")
    part = text.partition("## What holds what")[2].partition("## Events")[0]
    rows = {code or words: held for code, words, held in _ROW.findall(part)}
    return {act: held for act, held in rows.items() if act not in {"Act", "---"}}


def routes() -> Iterator[str]:
    """Every method and path of the authorization server that does something."""
    for file in sorted((ROOT / ENDPOINTS).glob("*.py")):
        module = importlib.import_module(f"functions.oauth.endpoints.{file.stem}")
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if ast.unparse(node.func.value) == "routes" and isinstance(node.args[0], ast.Name):
                yield f"{METHODS[node.func.attr]} {getattr(module, node.args[0].id)}"


def definitions() -> Iterator[tuple[str, str | None]]:
    """Every tool of ours, with the scope that it needs."""
    for file in sorted((ROOT / "functions/mcp_endpoint/tools").glob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("ToolDefinition"):
                told = {k.arg: k.value for k in node.keywords}
                name, scope = told["name"], told.get("scope")
                if isinstance(name, ast.Constant):
                    asked = scope.attr if isinstance(scope, ast.Attribute) else None
                    yield str(name.value), asked


def tools() -> Iterator[str]:
    """The names under which calls of tools are counted."""
    yield from (name for name, _ in definitions())
    yield METRIC_NAME
    yield USAGE_NAME


def chores() -> set[str]:
    """What the cleanup plugs together."""
    text = (ROOT / "functions/cleanup/composition.py").read_text(encoding="utf-8")
    called = {
        node.func.id
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    parts = {"Housekeeping", "Parts", "DataKeyChanges", "S3Archive"}
    return {name for name in called if name[0].isupper()} - parts


def commands() -> Iterator[str]:
    """Scripts for operators: those that are told an address of the database or sign somebody in."""
    for file in sorted((ROOT / "scripts").iterdir()):
        if not file.is_file() or file.suffix:
            continue
        found = re.search(r'"\$python" -m scripts\.([\w.]+)', file.read_text(encoding="utf-8"))
        module = ROOT / "scripts" / f"{found[1].replace('.', '/')}.py" if found else None
        if module is None or not module.is_file():
            continue
        text = module.read_text(encoding="utf-8")
        for_operators = "DATABASE_URL" in text or file.name == "canary_sign_in"
        if for_operators and not {"artifacts", "deployment"} & set(module.parts):
            yield f"scripts/{file.name}"


def test_the_table_has_a_row_for_everything_that_the_code_lets_happen() -> None:
    rows = {act for act in table() if " " not in act or act.split()[0] in METHODS.values()}

    code = {*routes(), *tools(), *chores(), *FUNCTION_SETTINGS, *commands()}
    assert rows == code, "give it a row in docs/audit.md, What holds what"


def test_every_action_of_the_trail_stands_in_a_row_and_no_other() -> None:
    told = {word for held in table().values() for word in re.findall(r"`(\w+:\w+)`", held)}

    assert told == {action.value for action in AuditAction}


def test_what_neither_holds_has_a_reason() -> None:
    for act, held in table().items():
        if not held.startswith(("audit", "usage")):
            assert len(held) > 20, act


def test_what_usage_is_held_against_is_what_the_tools_ask() -> None:
    asked = {name: Scope[scope] for name, scope in definitions() if scope is not None}

    assert {**asked, METRIC_NAME: Scope.SITE_TOOLS, USAGE_NAME: Scope.READ} == TOOL_SCOPES
