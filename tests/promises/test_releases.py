"""A new version is tried before it gets traffic, gets it bit by bit, and loses it when it fails."""

from typing import Any

import pytest

from functions.canary.round import RoundOutcome
from functions.release_check import release_check
from shared.checks.catalogue import CHECKS
from shared.observability.metrics import METRICS, NAMESPACE, MetricName
from tests.promises.deployed import (
    BUFFERED,
    FUNCTIONS,
    STREAMING,
    function,
    listed,
    resources,
    statements,
    template,
)

DOORS = STREAMING + BUFFERED
PLATFORM_ERRORS = "AWS/Lambda"
HOOK_PREFIX = "CodeDeployHook_"
"""What AWS's managed role for deployments may invoke."""
each_door = pytest.mark.parametrize("name", DOORS)


def deployment_group(name: str) -> dict[str, Any]:
    return resources("AWS::CodeDeploy::DeploymentGroup")[f"{FUNCTIONS[name]}DeploymentGroup"]


def alias_update(name: str) -> dict[str, Any]:
    alias = template()["Resources"][f"{FUNCTIONS[name]}Aliaslive"]
    update: dict[str, Any] = alias["UpdatePolicy"]["CodeDeployLambdaAliasUpdate"]
    return update


@each_door
def test_a_door_is_tried_before_its_new_version_gets_traffic(name: str) -> None:
    assert alias_update(name)["BeforeAllowTrafficHook"] == {"Ref": FUNCTIONS["release_check"]}


@each_door
def test_an_alarm_moves_the_traffic_back(name: str) -> None:
    group = deployment_group(name)

    assert group["AutoRollbackConfiguration"]["Enabled"]
    assert "DEPLOYMENT_STOP_ON_ALARM" in group["AutoRollbackConfiguration"]["Events"]
    watched = {alarm["Name"]["Ref"] for alarm in group["AlarmConfiguration"]["Alarms"]}
    assert watched == {f"{FUNCTIONS[name].removesuffix('Function')}VersionErrors", "CanaryFails"}


@pytest.mark.parametrize("stage", ["staging", "prod"])
def test_people_of_these_stages_get_a_new_version_bit_by_bit(stage: str) -> None:
    for name in DOORS:
        table, _, field = deployment_group(name)["DeploymentConfigName"]["Fn::FindInMap"]
        shift = template()["Mappings"][table][stage][field]
        assert shift.startswith("CodeDeployDefault.LambdaCanary10Percent")


def test_the_hook_can_be_invoked_and_ends_in_time() -> None:
    properties = function("release_check")

    assert properties["FunctionName"]["Fn::Sub"].startswith(HOOK_PREFIX)
    assert len(CHECKS) * release_check.CHECK_SECONDS_MAX < properties["Timeout"]


def test_the_hook_invokes_the_versions_that_are_about_to_get_traffic_and_no_other() -> None:
    (invoking,) = (
        one for one in statements("release_check") if one["Action"] == "lambda:InvokeFunction"
    )
    invoked = [resource["Ref"] for resource in listed(invoking["Resource"])]

    versions = resources("AWS::Lambda::Version")
    assert {versions[name]["FunctionName"]["Ref"] for name in invoked} == {
        FUNCTIONS[name] for name in DOORS
    }
    given = function("release_check")["Environment"]["Variables"]
    assert [given["CHECKED_MCP_VERSION"], given["CHECKED_OAUTH_VERSION"]] == [
        {"Ref": name} for name in invoked
    ]


@each_door
def test_the_alarm_of_a_version_counts_its_own_errors_only(name: str) -> None:
    logical_id = f"{FUNCTIONS[name].removesuffix('Function')}VersionErrors"
    alarm = resources("AWS::CloudWatch::Alarm")[logical_id]
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}

    assert (alarm["Namespace"], alarm["MetricName"]) == (PLATFORM_ERRORS, "Errors")
    assert dimensions["FunctionName"] == {"Ref": FUNCTIONS[name]}
    version, attribute = dimensions["ExecutedVersion"]["Fn::GetAtt"]
    assert attribute == "Version"
    assert resources("AWS::Lambda::Version")[version]["FunctionName"] == {"Ref": FUNCTIONS[name]}


def test_the_canarys_alarm_is_on_a_metric_that_it_emits() -> None:
    alarm = resources("AWS::CloudWatch::Alarm")["CanaryFails"]
    dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}

    assert (alarm["Namespace"], alarm["MetricName"]) == (NAMESPACE, MetricName.CANARY_ROUNDS)
    named = {dimension.value for dimension in METRICS[MetricName.CANARY_ROUNDS].dimensions}
    assert set(dimensions) == {"service", "stage"} | named
    assert dimensions["outcome"] == RoundOutcome.FAILED
    assert dimensions["service"] in FUNCTIONS
