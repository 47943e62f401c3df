"""The template deploys what the code needs, and lets it do nothing else.

Looks at the template after AWS's own transform, where every resource of a deployment is visible.
"""

from typing import Any

import pytest

from functions.cleanup import housekeeping
from functions.migrate.requests import Step
from functions.token_refresh import time_to_begin
from shared.domain.refresh_times import REFRESH_DEADLINE_SECONDS
from shared.lambda_stream import asgi, event_loop
from shared.settings import FUNCTION_SETTINGS, OAuthFunctionSettings, UpstreamSettings
from shared.settings_group import Stage
from shared.state.roles import OPERATORS_ROLES, AppRole
from tests.promises.deployed import (
    BUFFERED,
    DEPLOYING,
    FUNCTIONS,
    OUTSIDE,
    SCHEDULED,
    STREAMING,
    function,
    listed,
    resolved,
    resources,
    statements,
    template,
    variables,
)

PLATFORM_VARIABLES = {"AWS_LAMBDA_EXEC_WRAPPER"}
WEB = STREAMING + BUFFERED
MANAGED_POLICIES = {
    # Writes to log streams. Its resource is a star; AWS keeps it, and the platform needs it.
    "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole",
    # Network interfaces cannot be named before they exist.
    "arn:aws:iam::aws:policy/service-role/AWSLambdaVPCAccessExecutionRole",
    # Trace segments belong to no resource.
    "arn:aws:iam::aws:policy/AWSXrayWriteOnlyAccess",
}
SEALING = {"kms:Decrypt", "kms:GenerateDataKey"}
REWRAPPING = {
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:GenerateDataKeyWithoutPlaintext",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
}
NETS = {"sqs:SendMessage", "dynamodb:PutItem", "dynamodb:GetItem"}
TAKING = {"sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"}
READING = {"ssm:GetParameter", "secretsmanager:GetSecretValue"}
EMPTYING = {"dynamodb:Scan", "dynamodb:GetItem", "dynamodb:DeleteItem"}
ACTIONS = {
    "mcp_endpoint": SEALING | READING | NETS,
    "oauth": SEALING | READING,
    "token_refresh": SEALING | READING | NETS | TAKING,
    "cleanup": REWRAPPING | READING | EMPTYING | {"s3:PutObject"},
    "migrate": {"secretsmanager:GetSecretValue", "kms:Decrypt"},
    "canary": READING | {"secretsmanager:PutSecretValue"},
    "release_check": READING
    | {"lambda:InvokeFunction", "codedeploy:PutLifecycleEventHookExecutionStatus"},
}
PARAMETER_VALUES = {
    "Stage": "prod",
    "Release": "1.2.3",
    "SentryDsn": "https://public@sentry.example/1",
    "DatabaseSecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:db",
    "DrupalBaseUrl": "https://site.example",
    "DrupalClientId": "client",
    "SiteName": "Example",
    "MembershipUrl": "https://site.example/pricing",
    "SearchRecentSeconds": "0",
    "DrupalSecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:drupal",
    "OriginSecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:origin",
    "CanarySecretArn": "arn:aws:secretsmanager:eu-central-1:1:secret:canary",
    "DrupalScopes": "member",
    "DrupalRefreshTokenDays": "14",
    "DynamicRegistrationEnabled": "false",
    "SiteToolsEnabled": "false",
    "PreregisteredClients": "",
    "RefreshQueue": "https://sqs.eu-central-1.amazonaws.com/1/refresh",
    "WatchdogQueue": "https://sqs.eu-central-1.amazonaws.com/1/watchdog",
    "SpillTable": "spill",
    "AuditArchive": "audit-archive",
}
STORED_VALUES = {
    "ISSUER_URL": "https://issuer.example",
    "MCP_URL": "https://mcp.example/mcp",
    "DATABASE_URL": "host=db.example user=role",
    "DATABASE_URLS": '{"migrate": "host=db.example user=owner"}',
    "DRUPAL_CLIENT_SECRET": "not a secret",
    "ORIGIN_SECRET": "the-new-one the-former-one",
}
every_function = pytest.mark.parametrize("name", FUNCTIONS)


def test_every_function_of_the_code_is_deployed_and_no_other() -> None:
    # The edge's own is the subject of test_template_edge.
    at_the_edge = {"EdgeChallengeFunction"}
    assert set(resources("AWS::Lambda::Function")) - at_the_edge == set(FUNCTIONS.values())
    assert set(FUNCTIONS) == set(FUNCTION_SETTINGS)


@every_function
def test_a_function_runs_as_it_was_built_and_tested(name: str) -> None:
    properties = function(name)

    assert properties["Handler"] == f"functions.{name}.handler.handler"
    assert properties["Runtime"] == "python3.13"
    assert properties["Architectures"] == ["arm64"]
    assert properties["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    assert properties["TracingConfig"] == {"Mode": "Active"}


@every_function
def test_callers_reach_a_published_version_through_its_alias(name: str) -> None:
    alias = resources("AWS::Lambda::Alias")[f"{FUNCTIONS[name]}Aliaslive"]
    version, attribute = alias["FunctionVersion"]["Fn::GetAtt"]

    assert attribute == "Version"
    assert resources("AWS::Lambda::Version")[version]["FunctionName"] == {"Ref": FUNCTIONS[name]}


@pytest.mark.parametrize(
    ("name", "mode"), [("mcp_endpoint", "RESPONSE_STREAM"), ("oauth", "BUFFERED")]
)
def test_a_door_is_public_on_its_alias_in_the_mode_that_its_handler_speaks(
    name: str, mode: str
) -> None:
    alias = {"Ref": f"{FUNCTIONS[name]}Aliaslive"}
    url = resources("AWS::Lambda::Url")[f"{FUNCTIONS[name]}Url"]
    permissions = [
        permission
        for permission in resources("AWS::Lambda::Permission").values()
        if permission["FunctionName"] == alias
    ]

    assert url == {"TargetFunctionArn": alias, "AuthType": "NONE", "InvokeMode": mode}
    assert all(permission["Principal"] == "*" for permission in permissions)
    # A public Function URL needs both; the second one is useless without the URL.
    assert {
        (permission["Action"], permission.get("InvokedViaFunctionUrl", False))
        for permission in permissions
    } == {("lambda:InvokeFunctionUrl", False), ("lambda:InvokeFunction", True)}


def test_nothing_else_is_public() -> None:
    public = {
        permission["FunctionName"]["Ref"]
        for permission in resources("AWS::Lambda::Permission").values()
        if permission["Principal"] == "*"
    }

    assert public == {f"{FUNCTIONS[name]}Aliaslive" for name in WEB}
    assert set(resources("AWS::Lambda::Url")) == {f"{FUNCTIONS[name]}Url" for name in WEB}


def test_only_the_streaming_function_starts_through_the_wrapper() -> None:
    wrapped = {name for name in FUNCTIONS if "AWS_LAMBDA_EXEC_WRAPPER" in variables(name)}

    assert wrapped == set(STREAMING)
    wrapper = variables("mcp_endpoint")["AWS_LAMBDA_EXEC_WRAPPER"]
    assert wrapper == "/var/task/shared/lambda_stream/exec_wrapper"


@every_function
def test_a_function_logs_into_its_own_group_encrypted_and_not_for_ever(name: str) -> None:
    logging = function(name)["LoggingConfig"]
    group = resources("AWS::Logs::LogGroup")[logging["LogGroup"]["Ref"]]
    others = [function(other)["LoggingConfig"]["LogGroup"] for other in FUNCTIONS if other != name]

    assert logging["LogFormat"] == "JSON"
    assert logging["LogGroup"] not in others
    assert group["KmsKeyId"] == {"Fn::GetAtt": ["TokenKey", "Arn"]}
    for row in template()["Mappings"]["StageValues"].values():
        assert 1 <= row["LogRetentionDays"] <= 365
    assert group["RetentionInDays"]["Fn::FindInMap"][2] == "LogRetentionDays"


@every_function
def test_a_function_may_do_what_it_needs_and_nothing_else(name: str) -> None:
    allowed = statements(name)

    assert {action for one in allowed for action in listed(one["Action"])} == ACTIONS[name]
    assert {one["Effect"] for one in allowed} == {"Allow"}
    role = resources("AWS::IAM::Role")[f"{FUNCTIONS[name]}Role"]
    assert set(role["ManagedPolicyArns"]) == MANAGED_POLICIES


@every_function
def test_a_function_reaches_named_resources_only(name: str) -> None:
    for statement in statements(name):
        for resource in listed(statement["Resource"]):
            text = str(resource)
            own_parameters = ":parameter/drupalize-mcp/${Stage}/*" in text
            own_archive = "${AuditArchive.Arn}/" in text
            assert "*" not in text or own_parameters or own_archive, text


@every_function
def test_every_variable_is_a_setting_of_the_function(name: str) -> None:
    known = {field.upper() for field in FUNCTION_SETTINGS[name].model_fields}

    assert set(variables(name)) <= known | PLATFORM_VARIABLES


@every_function
def test_every_required_setting_is_given(name: str) -> None:
    required = {
        field.upper()
        for field, about in FUNCTION_SETTINGS[name].model_fields.items()
        if about.is_required()
    }

    assert required <= set(variables(name))


@every_function
def test_the_settings_accept_what_the_template_gives(name: str) -> None:
    versions = {version: f"{version}:1" for version in resources("AWS::Lambda::Version")}
    values = PARAMETER_VALUES | versions
    given = {key: resolved(value, values) for key, value in variables(name).items()}
    references = {key for key, value in given.items() if value.startswith(("ssm:", "secret:"))}

    settings = FUNCTION_SETTINGS[name].from_environment(
        {**given, **{key: STORED_VALUES[key] for key in references}}
    )

    assert settings.stage is Stage.PROD
    assert name in OUTSIDE or {"DATABASE_URL", "DATABASE_URLS"} & references


def test_no_secret_is_in_a_variable() -> None:
    for name in FUNCTIONS:
        given = variables(name)
        for key in {"DATABASE_URL", "DATABASE_URLS", "DRUPAL_CLIENT_SECRET"} & set(given):
            assert resolved(given[key], PARAMETER_VALUES).startswith("secret:")
    for name in ("oauth", "mcp_endpoint"):
        assert resolved(variables(name)["ORIGIN_SECRET"], PARAMETER_VALUES).startswith("secret:")


def test_each_function_has_a_database_role_of_its_own() -> None:
    serving = set(FUNCTIONS) - set(DEPLOYING) - set(OUTSIDE)
    keys = {name: resolved(variables(name)["DATABASE_URL"], PARAMETER_VALUES) for name in serving}

    assert {name: value.partition("#")[2] for name, value in keys.items()} == {
        name: name for name in serving
    }
    assert {f"app_{name}" for name in serving} == set(AppRole) - OPERATORS_ROLES


def _step(name: str) -> dict[str, Any]:
    steps = resources("Custom::DatabaseStep")
    (found,) = (properties for properties in steps.values() if properties["Step"] == name)
    return found


@pytest.mark.parametrize("step", [step.value for step in Step])
def test_a_step_of_the_database_is_run_once_for_every_new_code_by_that_code(step: str) -> None:
    properties = _step(step)

    assert properties["ServiceToken"] == {"Ref": "MigrateFunctionAliaslive"}
    version = properties["CodeVersion"]["Ref"]
    assert resources("AWS::Lambda::Version")[version]["FunctionName"] == {"Ref": "MigrateFunction"}
    assert function("migrate")["Timeout"] < properties["ServiceTimeout"]


def test_no_function_gets_new_code_before_the_database_is_ready_for_it() -> None:
    for name in set(FUNCTIONS) - set(DEPLOYING) - set(OUTSIDE):
        depends = template()["Resources"][FUNCTIONS[name]]["DependsOn"]
        assert "DatabaseExpanded" in listed(depends)


def test_rights_of_the_code_before_go_only_when_all_traffic_has_left_it() -> None:
    waited_for = {alias["Ref"] for alias in _step("contract")["After"]}

    assert waited_for == {
        f"{FUNCTIONS[name]}Aliaslive" for name in set(FUNCTIONS) - set(DEPLOYING) - set(OUTSIDE)
    }


def test_stages_and_defaults_are_those_of_the_code() -> None:
    parameters = template()["Parameters"]

    assert {*parameters["Stage"]["AllowedValues"], "local"} == set(Stage)
    defaults = UpstreamSettings.model_fields["drupal_scopes"].default
    assert tuple(parameters["DrupalScopes"]["Default"].split()) == defaults
    days = FUNCTION_SETTINGS["token_refresh"].model_fields["drupal_refresh_token_days"].default
    assert parameters["DrupalRefreshTokenDays"]["Default"] == days


@pytest.mark.parametrize(
    ("name", "expression", "seconds"),
    [
        ("token_refresh", "rate(1 minute)", 60),
        ("cleanup", "rate(5 minutes)", 300),
        ("canary", "rate(1 minute)", 60),
    ],
)
def test_a_schedule_sends_its_plain_event_to_the_alias_and_no_two_runs_meet(
    name: str, expression: str, seconds: int
) -> None:
    alias = {"Ref": f"{FUNCTIONS[name]}Aliaslive"}
    rules = [
        rule
        for rule in resources("AWS::Events::Rule").values()
        if any(target["Arn"] == alias for target in rule["Targets"])
    ]

    assert [rule["ScheduleExpression"] for rule in rules] == [expression]
    # The handlers read EventBridge's own event, as events/ has it: nothing may replace it.
    inputs = ("Input", "InputPath", "InputTransformer")
    assert not any(key in target for target in rules[0]["Targets"] for key in inputs)
    assert rules[0].get("State", "ENABLED") == "ENABLED"
    assert function(name)["Timeout"] < seconds


def test_only_schedules_invoke_the_functions_behind_the_doors() -> None:
    callers = {
        permission["FunctionName"]["Ref"]: permission["SourceArn"]["Fn::GetAtt"][0]
        for permission in resources("AWS::Lambda::Permission").values()
        if permission["Principal"] == "events.amazonaws.com"
    }

    assert set(callers) == {f"{FUNCTIONS[name]}Aliaslive" for name in SCHEDULED}
    assert set(callers.values()) == set(resources("AWS::Events::Rule"))


def _default(settings: type[Any], field: str) -> float:
    return float(settings.model_fields[field].default)


def test_a_tool_call_can_refresh_and_call_drupal_before_its_own_deadline() -> None:
    own_deadline = function("mcp_endpoint")["Timeout"] - asgi.DEADLINE_MARGIN_SECONDS
    settings = FUNCTION_SETTINGS["mcp_endpoint"]
    # The refused call, the refresh, the call again.
    longest = 2 * _default(settings, "drupal_rpc_timeout_seconds") + REFRESH_DEADLINE_SECONDS

    assert longest < own_deadline
    ends = event_loop.SETTLE_SECONDS_MAX + event_loop.CANCEL_SECONDS_MAX
    assert ends < asgi.DEADLINE_MARGIN_SECONDS


def test_a_sign_in_can_wait_for_drupal_keys_and_database_in_one_invocation() -> None:
    settings = OAuthFunctionSettings
    database = _default(settings, "database_connect_timeout_seconds") + 2 * _default(
        settings, "database_statement_timeout_seconds"
    )
    keys = _default(settings, "kms_connect_timeout_seconds") + _default(
        settings, "kms_read_timeout_seconds"
    )
    longest = _default(settings, "drupal_oauth_timeout_seconds") + database + keys

    # 30 s is what CloudFront waits for an origin.
    assert longest < function("oauth")["Timeout"] < 30


def test_a_tick_that_begins_a_refresh_can_end_it() -> None:
    assert function("token_refresh")["Timeout"] > 2 * time_to_begin.BEGIN_SECONDS_MIN


def test_a_cleanup_has_time_for_many_batches() -> None:
    assert function("cleanup")["Timeout"] > 4 * housekeeping.BATCH_SECONDS_MAX
