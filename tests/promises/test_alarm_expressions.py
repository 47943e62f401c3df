"""What the alarms' expressions make of numbers: a breach, or none where samples are too few."""

import pytest

from scripts.alarms.alarm import Alarm, alarm_of
from scripts.alarms.judge import judged
from scripts.alarms.template_alarms import template_alarms
from tests.promises.alarms import ALARM, COMPOSITE, of_type
from tests.promises.deployed import template


def alarms() -> dict[str, Alarm]:
    """By name."""
    return {alarm.name: alarm for alarm in template_alarms().alarms}


def goes_off(name: str, samples: dict[str, float]) -> bool:
    alarm = alarms()[name]
    value = judged(alarm, samples)
    assert value is not None
    return alarm.breaches(value)


def test_the_alarms_read_from_the_file_are_those_of_the_deployment() -> None:
    deployed = of_type(template()["Resources"], ALARM)
    gathering = of_type(template()["Resources"], COMPOSITE)

    assert set(alarms()) == set(deployed)
    assert {one.name for one in template_alarms().composites} == set(gathering)
    for name, alarm in alarms().items():
        same = alarm_of(name, deployed[name])
        assert (alarm.operator, alarm.threshold) == (same.operator, same.threshold)
        assert (alarm.window_seconds, set(alarm.queries)) == (
            same.window_seconds,
            set(same.queries),
        )


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
