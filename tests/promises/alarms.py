"""What the template's alarms and dashboards say, and what is wrong with it.

Every check takes the resources, so that tests can hand it a broken copy and see it fail.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from shared.observability.metrics import METRICS, NAMESPACE
from tests.promises.deployed import FUNCTIONS
from tests.promises.tree import ROOT, files

Resources = Mapping[str, dict[str, Any]]

ALARM, COMPOSITE = "AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"
DASHBOARD, FILTER = "AWS::CloudWatch::Dashboard", "AWS::Logs::MetricFilter"
FILTERED: Final = f"{NAMESPACE}/${{Stage}}"
"""Namespace of what metric filters count: they can give no dimension, so the stage is in it."""
OF_AWS: Final = {
    ("AWS/Lambda", "Errors"): ({"FunctionName"}, {"FunctionName", "Resource", "ExecutedVersion"}),
    ("AWS/Lambda", "Throttles"): ({"FunctionName"},),
    ("AWS/Lambda", "UrlRequestCount"): ({"FunctionName"},),
    ("AWS/Lambda", "Url5xxCount"): ({"FunctionName"},),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"): ({"QueueName"},),
}
"""Metrics of AWS's own that are used, and the sets of dimensions that they have."""

_PAGE = re.compile(r"; docs/runbooks/([a-z-]+\.md)$")
_LITERAL = re.compile(r"\"([a-z0-9_]+)\"")


@dataclass(frozen=True, slots=True)
class Used:
    """One metric as an alarm or a widget names it."""

    user: str
    namespace: str
    name: str
    dimensions: dict[str, str]


def of_type(resources: Resources, *kinds: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of these types, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in resources.items()
        if resource["Type"] in kinds
    }


def pages(resources: Resources) -> dict[str, str | None]:
    """The runbook that each alarm names."""
    found = {}
    for name, alarm in of_type(resources, ALARM, COMPOSITE).items():
        page = _PAGE.search(alarm.get("AlarmDescription", ""))
        found[name] = page[1] if page else None
    return found


def used_metrics(resources: Resources) -> Iterator[Used]:
    """Everything that alarms and widgets look at."""
    for name, alarm in of_type(resources, ALARM).items():
        queries = alarm.get("Metrics", [])
        measured = [one["MetricStat"]["Metric"] for one in queries if _is_stat(one)]
        for metric in measured or [alarm]:
            dimensions = {one["Name"]: _text(one["Value"]) for one in metric.get("Dimensions", [])}
            yield Used(name, _text(metric["Namespace"]), metric["MetricName"], dimensions)
    for name, dashboard in of_type(resources, DASHBOARD).items():
        for widget in json.loads(dashboard["DashboardBody"]["Fn::Sub"])["widgets"]:
            for row in widget["properties"].get("metrics", []):
                plain = [one for one in row if isinstance(one, str)]
                pairs = zip(plain[2::2], plain[3::2], strict=True)
                user = f"{name}: {widget['properties']['title']}"
                yield Used(user, plain[0], plain[1], dict(pairs))


def _is_stat(query: Mapping[str, Any]) -> bool:
    return "MetricStat" in query


def _text(value: Any) -> str:
    """A value as text; a reference as ``${Name}``."""
    match value:
        case {"Ref": name}:
            return f"${{{name}}}"
        case {"Fn::Sub": str(text)}:
            return text
        case {"Fn::GetAtt": [name, attribute]}:
            return f"${{{name}.{attribute}}}"
    return str(value)


def unknown_metrics(resources: Resources) -> list[str]:
    """Uses of a metric which nothing emits with just these dimensions."""
    filtered = {
        (_text(one["MetricNamespace"]), one["MetricName"])
        for given in of_type(resources, FILTER).values()
        for one in given["MetricTransformations"]
    }
    return [
        f"{used.user}: {used.namespace} {used.name} {used.dimensions}"
        for used in used_metrics(resources)
        if not _is_emitted(used, filtered)
    ]


def _is_emitted(used: Used, filtered: set[tuple[str, str]]) -> bool:
    keys = set(used.dimensions)
    if used.namespace == FILTERED:
        return (used.namespace, used.name) in filtered and not keys
    if used.namespace != NAMESPACE:
        return keys in OF_AWS.get((used.namespace, used.name), ())
    specs = {name.value: spec for name, spec in METRICS.items()}
    if used.name not in specs:
        return False
    sets = [set(one) for one in specs[used.name].dimension_sets()]
    return keys in sets and all(_is_value(*pair) for pair in used.dimensions.items())


def _is_value(key: str, value: str) -> bool:
    """Whether code can give the dimension this value: it is a word of the code."""
    if key == "stage":
        return value == "${Stage}"
    return value in FUNCTIONS if key == "service" else value in _words()


def _words() -> set[str]:
    return {
        word
        for path in files()
        if path.suffix == ".py" and path.parts[0] in {"functions", "shared"}
        for word in _LITERAL.findall((ROOT / path).read_text(encoding="utf-8"))
    }


def unheard(resources: Resources) -> list[str]:
    """Alarms that tell nobody: without an action, and gathered by none that has one."""
    gathered = {
        child
        for alarm in of_type(resources, COMPOSITE).values()
        if alarm.get("AlarmActions")
        for child in re.findall(r"\$\{(\w+)\}", json.dumps(alarm["AlarmRule"]))
    }
    return [
        name
        for name, alarm in of_type(resources, ALARM, COMPOSITE).items()
        if not alarm.get("AlarmActions") and name not in gathered
    ]


def unfiltered(resources: Resources) -> list[str]:
    """Log groups that no filter for token shapes looks at."""
    watched = {_text(one["LogGroupName"]) for one in of_type(resources, FILTER).values()}
    groups = of_type(resources, "AWS::Logs::LogGroup")
    return [name for name in groups if f"${{{name}}}" not in watched]


@dataclass(frozen=True, slots=True)
class Rule:
    """When an alarm goes off."""

    operator: str
    threshold: float
    window_seconds: int
    least_samples: int


_OPERATORS: Final = {
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
    "GreaterThanOrEqualToThreshold": ">=",
}


def rule_of(alarm: Mapping[str, Any]) -> Rule:
    """The rule that the template gives an alarm."""
    queries = alarm.get("Metrics", [])
    periods = {one["MetricStat"]["Period"] for one in queries if _is_stat(one)}
    period = periods.pop() if periods else alarm["Period"]
    assert not periods, "one period in an expression"
    expressions = " ".join(one.get("Expression", "") for one in queries)
    least = {int(number) for number in re.findall(r"IF\(.+? >= (\d+),", expressions)} or {1}
    return Rule(
        operator=_OPERATORS[alarm["ComparisonOperator"]],
        threshold=float(alarm["Threshold"]),
        window_seconds=int(period) * int(alarm["EvaluationPeriods"]),
        least_samples=least.pop() if len(least) == 1 else 0,
    )
