"""What the alarms' expressions make of numbers: a breach, or none where samples are too few."""

import operator
import re
from collections.abc import Mapping
from typing import Any

import pytest

from tests.promises.alarms import ALARM, of_type, rule_of
from tests.promises.deployed import template

_WORD = re.compile(r"[a-z]+")
_COMPARED = {">": operator.gt, ">=": operator.ge, "<": operator.lt}


def judged(alarm: Mapping[str, Any], samples: Mapping[str, float]) -> float:
    """The value of an alarm's expression; whatever is not among ``samples`` has no data."""
    values: dict[str, Any] = {
        "FILL": lambda value, instead: instead if value is None else value,
        "IF": lambda condition, then, otherwise: then if condition else otherwise,
        "MIN": min,
    }
    queries = {query["Id"]: query for query in alarm["Metrics"]}

    def value_of(query_id: str) -> Any:
        expression = queries[query_id].get("Expression")
        if expression is None:
            return samples.get(query_id)
        known = {name: value_of(name) for name in _WORD.findall(expression) if name in queries}
        return eval(expression, {"__builtins__": {}}, values | known)  # noqa: S307 - our template

    return float(value_of("judged"))


def goes_off(name: str, samples: Mapping[str, float]) -> bool:
    alarm = of_type(template()["Resources"], ALARM)[name]
    rule = rule_of(alarm)
    value = judged(alarm, samples)
    return bool(_COMPARED[rule.operator](value, rule.threshold))


ROUNDS_OF_A_DAY = {"passed": 1_430.0, "failed": 10.0}


@pytest.mark.parametrize(
    ("name", "samples", "breach"),
    [
        ("ContentRetrievalSlow", {"slow": 501.0, "samples": 20.0}, True),
        ("ContentRetrievalSlow", {"slow": 500.0, "samples": 20.0}, False),
        ("ContentRetrievalSlow", {"slow": 9_000.0, "samples": 19.0}, False),
        ("TokenRefreshSlow", {"slow": 201.0, "samples": 20.0}, True),
        ("OAuthFlowSlow", {"slow": 5_001.0, "samples": 10.0}, True),
        ("OAuthFlowSlow", {"slow": 5_001.0, "samples": 9.0}, False),
        ("RecoveryLow", {"retried": 17.0, "surfaced": 3.0}, True),
        (
            "RecoveryLow",
            {"retried": 16.0, "refreshed": 1.0, "without": 1.0, "surfaced": 2.0},
            False,
        ),
        ("RecoveryLow", {"surfaced": 19.0}, False),
        ("RefreshSuccessLow", {"refreshed": 18.0, "indeterminate": 1.0, "revived": 1.0}, True),
        ("RefreshSuccessLow", {"refreshed": 19.0, "indeterminate": 1.0}, False),
        ("RefreshSuccessLow", {"indeterminate": 19.0}, False),
        ("SessionContinuityLow", {"ended": 50.0, "rejected": 1.0, "lost": 2.0}, True),
        ("SessionContinuityLow", {"ended": 50.0, "rejected": 1.0, "changed": 1.0}, False),
        ("SessionContinuityLow", {"ended": 49.0, "rejected": 49.0}, False),
        ("DatabaseConnectionsFail", {"good": 49.0, "failed": 1.0}, True),
        ("DatabaseConnectionsFail", {"good": 99.0, "failed": 1.0}, False),
        ("DatabaseConnectionsFail", {"failed": 49.0}, False),
        ("SignInCompletionLow", {"completed": 18.0, "returned": 20.0}, True),
        ("SignInCompletionLow", {"completed": 19.0, "returned": 20.0}, False),
        ("SignInCompletionLow", {"returned": 19.0}, False),
        ("AvailabilityLow", ROUNDS_OF_A_DAY, False),
        ("AvailabilityLow", {**ROUNDS_OF_A_DAY, "failed": 20.0}, True),
        ("AvailabilityLow", {**ROUNDS_OF_A_DAY, "calls": 600.0, "callsfailed": 7.0}, True),
        ("AvailabilityLow", {**ROUNDS_OF_A_DAY, "calls": 400.0, "callsfailed": 99.0}, False),
        ("AvailabilityLow", {"siteless": 1_440.0}, False),
        ("AvailabilityBurnsFast", {"passed": 55.0, "failed": 5.0}, True),
        ("AvailabilityBurnsFast", {"passed": 56.0, "failed": 4.0}, False),
        ("AvailabilityBurnsSlowly", {"passed": 349.0, "failed": 11.0}, True),
        ("AvailabilityBurnsSlowly", {"passed": 350.0, "failed": 10.0}, False),
        ("FailedSignInBurst", {"foreign": 20.0, "without": 10.0, "errors": 20.0}, True),
        ("FailedSignInBurst", {"errors": 48.0, "blocked": 1.0}, False),
    ],
)
def test_an_expression_breaks_its_target_only_with_enough_samples(
    name: str, *, samples: dict[str, float], breach: bool
) -> None:
    assert goes_off(name, samples) is breach
