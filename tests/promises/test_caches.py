"""Whatever grows in a process that lives long has a bound: the containers are found, not listed.

Found are empty containers that objects or modules begin with, and remembered results of functions.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.promises.tree import ROOT

CONTAINERS = frozenset({"dict", "set", "list", "deque", "defaultdict", "Counter", "OrderedDict"})

BOUNDS: dict[str, str] = {
    "functions/mcp_endpoint/network_notes.py:_noted": "NOTES_MAX",
    "functions/mcp_endpoint/search_notes.py:_kept": "NOTES_MAX",
    "functions/mcp_endpoint/shown_notes.py:_noted": "NOTES_MAX",
    "functions/mcp_endpoint/site_catalogue.py:_values": "PEOPLE_MAX",
    "functions/mcp_endpoint/verified_calls.py:_verified": "VERIFIED_MAX",
    "shared/circuit/fleet_link.py:_timers": "one for each Dependency",
    "shared/circuit/fleet_link.py:_under_way": "one report and one probe for each Dependency",
    "shared/lambda_stream/lifespan.py:state": "one for each application; ours writes nothing",
    "shared/observability/open_telemetry.py:_ended": "SPANS_MAX",
    "shared/observability/open_telemetry.py:_open": "spans under way of one request",
    "shared/observability/recovery.py:_waiting": "WAITING_MAX",
    "shared/observability/sample_buffer.py:_samples": "SAMPLES_MAX",
    "shared/observability/sample_buffer.py:_seen": "DIMENSION_VALUES_MAX",
    "shared/observability/xray.py:_open": "spans under way of one request",
    "shared/state/database.py:_holders": "tasks that hold one of connections_max",
    "shared/state/database.py:_idle": "connections_max",
    "shared/state/database.py:_words": "statements of one transaction",
    "shared/state/refused_seals.py:_recorded": "REMEMBERED_MAX",
    "shared/vault/opened_keys.py:_keys": "KEYS_CACHED_MAX",
    "shared/workflows/readiness.py:_failures": "one for each Dependency",
}
"""By attribute: the constant of its module that bounds it, or in words why it cannot grow."""


def _modules() -> Iterator[tuple[str, ast.Module]]:
    for package in ("functions", "shared"):
        for file in sorted((ROOT / package).rglob("*.py")):
            yield str(file.relative_to(ROOT)), ast.parse(file.read_text("utf-8"))


def _is_empty_container(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Dict):
        return not value.keys
    if isinstance(value, ast.List):
        return not value.elts
    if isinstance(value, ast.Call) and isinstance(value.func, ast.Name):
        return value.func.id in CONTAINERS and not value.args
    return False


def _kept(tree: ast.Module) -> Iterator[str]:
    """Names of attributes, and of a module's variables, that begin as empty containers."""
    for node in ast.walk(tree):
        targets: list[ast.expr] = []
        value: ast.expr | None = None
        if isinstance(node, ast.AnnAssign):
            targets, value = [node.target], node.value
        elif isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        at_module = node in tree.body
        for target in targets:
            if not _is_empty_container(value):
                continue
            if isinstance(target, ast.Attribute):
                yield target.attr
            elif at_module and isinstance(target, ast.Name) and not target.id.isupper():
                yield target.id


def _remembering(tree: ast.Module) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            for decorator in node.decorator_list:
                if ast.unparse(decorator) in {"functools.cache", "cache"}:
                    yield node


def test_every_container_that_is_kept_has_a_bound_or_cannot_grow() -> None:
    found = {f"{path}:{name}" for path, tree in _modules() for name in _kept(tree)}

    # An exception's own facts live as long as the exception.
    assert found - {"shared/errors/base.py:facts"} == set(BOUNDS)


@pytest.mark.parametrize("place", [place for place, bound in BOUNDS.items() if bound.isupper()])
def test_a_bound_is_a_number_of_its_module_that_the_code_looks_at(place: str) -> None:
    path = place.partition(":")[0]
    text = Path(ROOT / path).read_text("utf-8")
    bound = BOUNDS[place]

    assert bound.endswith("_MAX")
    assert text.count(bound) >= 2, "it is named, and compared with"


def test_results_are_remembered_for_functions_without_arguments_or_with_a_bound() -> None:
    for path, tree in _modules():
        for function in _remembering(tree):
            assert not function.args.args, f"{path}: {function.name}"
            assert not function.args.kwonlyargs, f"{path}: {function.name}"
        assert "lru_cache(maxsize=None)" not in ast.unparse(tree), path
