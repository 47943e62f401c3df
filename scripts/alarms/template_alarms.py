"""The alarms and token filters of template.yaml, with references resolved to this machine's names.

Reads the file as it is: no alarm is the work of the SAM transform, so its CLI is not needed.
"""

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import yaml

from scripts.alarms.alarm import Alarm, alarm_of
from scripts.artifacts.build import LOGICAL_IDS

TEMPLATE: Final = Path(__file__).resolve().parents[2] / "template.yaml"
ALARM: Final = "AWS::CloudWatch::Alarm"
COMPOSITE: Final = "AWS::CloudWatch::CompositeAlarm"
FILTER: Final = "AWS::Logs::MetricFilter"
STAGE: Final = "local"
VERSION: Final = "local"
"""Of every function on this machine."""
_REFERENCES: Final[Mapping[str, str]] = {
    "Stage": STAGE,
    "DeadLetterQueue.QueueName": "drupalize-mcp-dead-letter",
    **{logical_id: name for name, logical_id in LOGICAL_IDS.items()},
    **{f"{logical_id}.Version.Version": VERSION for logical_id in LOGICAL_IDS.values()},
}
_REFERENCE: Final = re.compile(r"\$\{([\w.]+)\}")
_IN_ALARM: Final = re.compile(r'ALARM\("(\w+)"\)')


@dataclass(frozen=True, slots=True)
class CompositeAlarm:
    """An alarm that is on while any of others is."""

    name: str
    description: str
    runbook: str
    members: frozenset[str]


@dataclass(frozen=True, slots=True)
class TemplateAlarms:
    """Everything that can go off."""

    alarms: tuple[Alarm, ...]
    composites: tuple[CompositeAlarm, ...]
    severities: Mapping[str, str]
    """By name: whom it calls, or ``gathered`` where a composite alarm speaks for it."""
    token_shapes: re.Pattern[str]
    """What the filters look for in every line of every log."""


class _Loader(yaml.SafeLoader):
    """Resolves CloudFormation's short forms as far as alarms use them."""


def _resolved(loader: _Loader, suffix: str, node: yaml.Node) -> Any:
    if suffix == "Join" and isinstance(node, yaml.SequenceNode):
        between, parts = loader.construct_sequence(node, deep=True)
        return str(between).join(str(part) for part in parts)
    if isinstance(node, yaml.SequenceNode):
        return loader.construct_sequence(node, deep=True)
    if isinstance(node, yaml.MappingNode):
        return loader.construct_mapping(node, deep=True)
    text = str(node.value)
    if suffix == "Sub":
        return _REFERENCE.sub(lambda found: _REFERENCES.get(found[1], found[1]), text)
    return _REFERENCES.get(text, text)


_Loader.add_multi_constructor("!", _resolved)


@functools.cache
def template_alarms(template: Path = TEMPLATE) -> TemplateAlarms:
    """What the template says.

    Raises:
        KeyError, ValueError: an alarm uses what is not known here.
        ExpressionError: an expression cannot be read.
    """
    with template.open(encoding="utf-8") as file:
        loaded = yaml.load(file, Loader=_Loader)  # noqa: S506 # nosec B506 - a safe loader's child
    resources = loaded["Resources"]
    given = {kind: _of_type(resources, kind) for kind in (ALARM, COMPOSITE, FILTER)}
    (pattern,) = {one["FilterPattern"].strip("%") for one in given[FILTER].values()}
    return TemplateAlarms(
        alarms=tuple(alarm_of(name, one) for name, one in given[ALARM].items()),
        composites=tuple(_composite(name, one) for name, one in given[COMPOSITE].items()),
        severities={
            name: _severity(one) for kind in (ALARM, COMPOSITE) for name, one in given[kind].items()
        },
        token_shapes=re.compile(pattern),
    )


def _of_type(resources: Mapping[str, Any], kind: str) -> dict[str, dict[str, Any]]:
    return {name: one["Properties"] for name, one in resources.items() if one["Type"] == kind}


def _composite(name: str, properties: Mapping[str, Any]) -> CompositeAlarm:
    rule = properties["AlarmRule"]
    left = _IN_ALARM.sub("", rule).replace("OR", "").strip()
    if left:
        raise ValueError(f"{name}: {left}")
    description, _, runbook = properties["AlarmDescription"].partition("; ")
    return CompositeAlarm(name, description, runbook, frozenset(_IN_ALARM.findall(rule)))


def _severity(properties: Mapping[str, Any]) -> str:
    actions = properties.get("AlarmActions", [])
    return str(actions[0]).removesuffix("Alarms").lower() if actions else "gathered"
