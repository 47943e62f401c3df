import ast
import re
from collections.abc import Iterator
from pathlib import Path

from aws_lambda_powertools.metrics import MetricUnit

from shared.observability.metrics import METRICS, MetricName
from shared.observability.spans import SpanName
from tests.promises.tree import ROOT, files

_UNIT_OF = {"count": MetricUnit.Count, "duration": MetricUnit.Milliseconds}


def _calls() -> Iterator[tuple[Path, ast.Call, str, MetricName]]:
    for path in files():
        if path.suffix != ".py" or path.parts[0] not in {"functions", "shared"}:
            continue
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args:
                called = getattr(node.func, "attr", getattr(node.func, "id", ""))
                name = _metric(node.args[0])
                if called in _UNIT_OF and name is not None:
                    yield path, node, called, name


def _metric(argument: ast.expr) -> MetricName | None:
    if not isinstance(argument, ast.Attribute):
        return None
    owner = argument.value
    if getattr(owner, "attr", getattr(owner, "id", "")) != "MetricName":
        return None
    return MetricName[argument.attr]


def test_every_call_gives_a_metric_exactly_its_dimensions_and_its_unit() -> None:
    wrong = []
    for path, node, called, name in _calls():
        given = {keyword.arg for keyword in node.keywords}
        wanted = {dimension.value for dimension in METRICS[name].dimensions}
        if given != wanted or METRICS[name].unit is not _UNIT_OF[called]:
            wrong.append(f"{path}:{node.lineno}: {called} {name.value} {given} for {wanted}")

    assert wrong == []


def _used(enumeration: str) -> set[str]:
    """Members of ``enumeration`` that code outside of its definition names."""
    pattern = re.compile(rf"\b{enumeration}\.([A-Z_]+)\b")
    return {
        member
        for path in files()
        if path.suffix == ".py" and path.parts[0] in {"functions", "shared"}
        if path.name not in {"metrics.py", "tracing.py"}
        for member in pattern.findall((ROOT / path).read_text(encoding="utf-8"))
    }


def test_every_metric_and_every_span_is_told_by_somebody() -> None:
    assert _used("MetricName") | {"SPAN_DURATION"} == {name.name for name in MetricName}
    assert _used("SpanName") == {name.name for name in SpanName}
