"""The template's resources after the SAM transform, done once per process."""

import functools
from typing import Any

import pytest

from scripts.artifacts.build import LOGICAL_IDS
from scripts.deployment.sam_cli import NoSamCliError
from scripts.deployment.transformed import transformed

FUNCTIONS = dict(LOGICAL_IDS)
STREAMING, BUFFERED = ("mcp_endpoint",), ("oauth",)
SCHEDULED = ("token_refresh", "cleanup", "canary")
DEPLOYING = ("migrate", "release_check")
"""Invoked by deployments."""
OUTSIDE = ("canary", "release_check")
"""They ask like clients, and have no database."""


@functools.cache
def template() -> dict[str, Any]:
    """The transformed template; without the SAM CLI the test is reported as not run."""
    try:
        return transformed()
    except NoSamCliError as error:
        pytest.skip(f"NOT RUN: {error}")


def resources(kind: str) -> dict[str, dict[str, Any]]:
    """Properties of all resources of a type, by logical id."""
    return {
        name: resource["Properties"]
        for name, resource in template()["Resources"].items()
        if resource["Type"] == kind
    }


def function(name: str) -> dict[str, Any]:
    """Properties of a function of ours."""
    return resources("AWS::Lambda::Function")[FUNCTIONS[name]]


def variables(name: str) -> dict[str, Any]:
    """Environment variables of a function that a deployment sets."""
    given: dict[str, Any] = function(name)["Environment"]["Variables"]
    return {key: value for key, value in given.items() if value != {"Ref": "AWS::NoValue"}}


def statements(name: str) -> list[dict[str, Any]]:
    """What a function's own policies allow, statements that depend on a condition included."""
    role = resources("AWS::IAM::Role")[f"{FUNCTIONS[name]}Role"]
    return [
        statement.get("Fn::If", [None, statement])[1]
        for policy in role["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
    ]


def listed(value: Any) -> list[Any]:
    """IAM takes one item or a list of them."""
    return value if isinstance(value, list) else [value]


def resolved(value: Any, parameters: dict[str, Any]) -> str:
    """A variable's value where parameters have these values; attributes are made up."""
    match value:
        case {"Ref": name}:
            return str(parameters[name])
        case {"Fn::Sub": str(text)}:
            for name, given in parameters.items():
                text = text.replace(f"${{{name}}}", str(given))
            return text
        case {"Fn::GetAtt": [name, attribute]}:
            return f"arn:made-up:{name}:{attribute}"
        case {"Fn::FindInMap": [table, key, field]}:
            row = template()["Mappings"][table][resolved(key, parameters)]
            return str(row[field])
        case {"Fn::If": [_, wanted, _]}:
            return resolved(wanted, parameters)
        case str():
            return value
    raise AssertionError(f"no way to resolve {value!r}")
