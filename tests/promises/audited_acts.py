"""Which acts change what the audit trail tells of, and which events they reach; read from the code.

An *act* is a function of ``shared.state`` whose statements change rows. Wherever one is called,
an append of its event must be reachable: from the calling function, or from each of its callers.
"""

import ast
import copy
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Final

from tests.promises.tree import ROOT

_CHANGE: Final = re.compile(r"\b(?:INSERT\s+INTO|UPDATE|DELETE\s+FROM)\s+app\.(\w+)")
# Of an f-string only its literal parts are seen.
_CHANGE_OF_ANY: Final = re.compile(r"\bDELETE\s+FROM\s+WHERE\b")
_SQL_FUNCTION: Final = re.compile(
    r"CREATE (?:OR REPLACE )?FUNCTION app\.(\w+)(.*?)\n\$\$;", re.DOTALL
)
_CALLED: Final = re.compile(r"\bapp\.(\w+)\(")
STATE: Final = "shared/state"
CALLERS: Final = ("functions", "shared/workflows", "shared/circuit")
COMMANDS: Final = ("circuits", "containments", "erase_person", "canary_session")
"""What operators run; the rest of ``scripts`` is for tests and measurements."""


@dataclass(slots=True)
class Piece:
    """One function: what it calls, which events it names, whether it appends one itself."""

    calls: set[str] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    appends: bool = False


Code = dict[str, Piece]
"""Every function, as ``module.name`` (a method too: its class does not matter here)."""


def _strings(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@cache
def _changed_by_sql() -> Mapping[str, frozenset[str]]:
    """Tables that each database function changes; the newest definition counts."""
    found: dict[str, frozenset[str]] = {}
    for file in sorted((ROOT / STATE / "migrations").glob("*.sql")):
        for name, body in _SQL_FUNCTION.findall(file.read_text(encoding="utf-8")):
            found[name] = frozenset(_CHANGE.findall(body))
    return found


def _constants(tree: ast.Module) -> dict[str, str]:
    found: dict[str, str] = {}
    for node in tree.body:
        target: ast.expr | None = node.target if isinstance(node, ast.AnnAssign) else None
        if isinstance(node, ast.Assign):
            target = node.targets[0]
        if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign):
            parts = (found.get(n.id, "") for n in ast.walk(node) if isinstance(n, ast.Name))
            found[target.id] = " ".join([*parts, *_strings(node)])
    return found


@cache
def acts() -> Mapping[str, frozenset[str]]:
    """Every act as ``module.function``, with the tables that it changes itself or by a helper."""
    found: dict[str, frozenset[str]] = {}
    for file in sorted((ROOT / STATE).glob("*.py")):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        changed: dict[str, frozenset[str]] = {}
        for one in _functions(tree):
            # A method may have the name of a function beside it.
            before = changed.get(one.name, frozenset())
            changed[one.name] = before | _changed(one, _constants(tree))
        for function in _functions(tree):
            used = {n.id for n in ast.walk(function) if isinstance(n, ast.Name) and n.id[0] == "_"}
            tables = changed[function.name].union(*(changed.get(one, ()) for one in used))
            if tables and not function.name.startswith("_"):
                found[f"{file.stem}.{function.name}"] = tables
    return found


def _changed(function: ast.AST, texts: Mapping[str, str]) -> frozenset[str]:
    named = (texts.get(n.id, "") for n in ast.walk(function) if isinstance(n, ast.Name))
    text = " ".join([*named, *_strings(function)])
    tables = set(_CHANGE.findall(text))
    for called in _CALLED.findall(text):
        tables |= _changed_by_sql().get(called, frozenset())
    if _CHANGE_OF_ANY.search(text):
        tables.add("any")
    return frozenset(tables)


def module_sources() -> dict[str, ast.Module]:
    """Every module that may call an act, by its dotted name."""
    files = [file for folder in CALLERS for file in sorted((ROOT / folder).rglob("*.py"))]
    files += sorted((ROOT / STATE).glob("*.py"))
    files += [ROOT / "scripts" / f"{command}.py" for command in COMMANDS]
    return {
        ".".join(file.relative_to(ROOT).with_suffix("").parts): ast.parse(
            file.read_text(encoding="utf-8")
        )
        for file in files
    }


def code_of(sources: Mapping[str, ast.Module]) -> Code:
    """All functions of ``sources`` and how they hang together."""
    code: Code = {}
    for module, tree in sources.items():
        code.update(pieces_of(module, tree))
    return code


def pieces_of(module: str, tree: ast.Module) -> Code:
    """The functions of one module."""
    pieces: Code = {}
    imported = _imports(tree)
    for function in _functions(tree):
        piece = pieces.setdefault(f"{module}.{function.name}", Piece())
        for node in ast.walk(function):
            _take_in(piece, node, module=module, imported=imported)
    return pieces


def _imports(tree: ast.Module) -> dict[str, str]:
    return {
        alias.asname or alias.name: f"{node.module}.{alias.name}"
        for node in tree.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }


def _take_in(piece: Piece, node: ast.AST, *, module: str, imported: Mapping[str, str]) -> None:
    if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
        holder = node.value.id
        if holder == "AuditAction":
            piece.names.add(node.attr)
        elif holder == "self":
            piece.calls.add(f"{module}.{node.attr}")
        elif holder in imported:
            piece.calls.add(f"{imported[holder]}.{node.attr}")
            piece.appends |= f"{imported[holder]}.{node.attr}" == APPEND
    elif isinstance(node, ast.Name):
        piece.calls.add(imported.get(node.id, f"{module}.{node.id}"))


APPEND: Final = "shared.state.audit_events.append"


def reached(code: Code, start: str) -> frozenset[str]:
    """The names of actions that ``start`` can append, itself or through what it calls."""
    tree = _below(code, start)
    return frozenset().union(*(code[name].names for name in tree if _appends(code, name)))


def _appends(code: Code, name: str) -> bool:
    """Whether a function appends itself, or by a helper that is told which action."""
    helpers = (code[called] for called in code[name].calls if called in code)
    return code[name].appends or any(one.appends and not one.names for one in helpers)


def _below(code: Code, start: str) -> set[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        name = waiting.pop()
        if name in seen or name not in code:
            continue
        seen.add(name)
        waiting += code[name].calls
    return seen


def unaudited(code: Code, act: str, expected: frozenset[str]) -> list[str]:
    """Functions that call ``act`` where no append of an expected action is reachable."""
    target = f"shared.state.{act}"
    callers = [name for name, piece in code.items() if target in piece.calls]
    return [name for name in callers if not _told(code, name, expected, frozenset())]


def _told(code: Code, name: str, expected: frozenset[str], seen: frozenset[str]) -> bool:
    if reached(code, name) & expected:
        return True
    above = [c for c, piece in code.items() if name in piece.calls and c not in {name, *seen}]
    return bool(above) and all(_told(code, one, expected, seen | {name}) for one in above)


def appended_anywhere(code: Code) -> frozenset[str]:
    """The names of all actions that some function appends."""
    return frozenset().union(*(reached(code, name) for name in code))


class _Without(ast.NodeTransformer):
    """Takes one statement out."""

    def __init__(self, line: int) -> None:
        self._line = line

    def visit_Expr(self, node: ast.Expr) -> ast.stmt:
        return ast.Pass() if node.lineno == self._line else node


def sites(sources: Mapping[str, ast.Module]) -> list[tuple[str, int]]:
    """Every statement that appends an event, by module and line: the call, or that of a helper."""
    found = []
    for module, tree in sources.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Await):
                text = ast.unparse(node)
                if "audit_events.append(" in text or "AuditAction." in text:
                    found.append((module, node.lineno))
    return found


def without(code: Code, tree: ast.Module, module: str, line: int) -> Code:
    """The same code, in memory, without the statement at that line of ``module``."""
    return {**code, **pieces_of(module, _Without(line).visit(copy.deepcopy(tree)))}
