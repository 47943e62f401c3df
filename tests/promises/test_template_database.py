"""Postgres as the template makes it where none is given."""

import json
import re
from pathlib import Path
from typing import Any

import botocore
import pytest
from psycopg.conninfo import conninfo_to_dict

from shared.state.roles import OPERATORS_ROLES, AppRole
from tests.promises.deployed import function, resources, statements, template

OWNER = "migrate"
WITH_DATABASE = {role.removeprefix("app_") for role in set(AppRole) - OPERATORS_ROLES}
PROXY = "proxy.example"


def _made(value: dict[str, Any]) -> str:
    """A value as it is where the template makes the database."""
    condition, _given, ours = value["Fn::If"]
    assert condition == "IsDatabaseGiven"
    text: str = ours["Fn::Sub"]
    return text.replace("${DatabaseProxy.Endpoint}", PROXY)


def connection(name: str) -> dict[str, Any]:
    """What a function is told, its secret's logical id in place of the password."""
    text = _made(function(name)["Environment"]["Variables"]["DATABASE_URL"])
    return _parsed(text)


def _parsed(text: str) -> dict[str, Any]:
    return conninfo_to_dict(re.sub(r"<secret:\$\{(\w+)\}#password>", r"\1", text))


def connections_of_the_owner() -> dict[str, dict[str, Any]]:
    text = _made(function(OWNER)["Environment"]["Variables"]["DATABASE_URLS"])
    return {name: _parsed(value) for name, value in json.loads(text).items()}


def test_all_of_it_is_made_only_where_no_database_is_given() -> None:
    kinds = ("AWS::RDS::", "AWS::EC2::", "AWS::SecretsManager::")
    made = {
        name: resource.get("Condition")
        for name, resource in template()["Resources"].items()
        if resource["Type"].startswith(kinds)
    }

    assert made
    assert set(made.values()) == {"IsDatabaseOurs"}


@pytest.mark.parametrize("name", sorted(WITH_DATABASE))
def test_a_function_signs_in_to_the_proxy_as_its_own_role_over_verified_tls(name: str) -> None:
    found = connection(name)

    assert found["host"] == PROXY
    assert found["user"] == f"app_{name}"
    assert found["sslmode"] == "verify-full"
    assert found["dbname"] == resources("AWS::RDS::DBCluster")["Database"]["DatabaseName"]


def test_migrations_know_the_owner_and_set_the_passwords_that_the_functions_have() -> None:
    found = connections_of_the_owner()

    assert (
        found.pop(OWNER)["user"] == resources("AWS::RDS::DBCluster")["Database"]["MasterUsername"]
    )
    assert {name: found[name] for name in WITH_DATABASE} == {
        name: connection(name) for name in WITH_DATABASE
    }
    assert {url["user"] for url in found.values()} == set(AppRole)


@pytest.mark.parametrize("name", sorted(WITH_DATABASE))
def test_a_function_reads_no_password_but_its_own(name: str) -> None:
    (statement,) = (one for one in statements(name) if one["Sid"] == "ReadDatabaseSecret")

    assert statement["Resource"]["Fn::If"][2] == {"Ref": connection(name)["password"]}


def test_every_password_is_made_by_aws_fits_a_connection_string_and_is_known_to_the_proxy() -> None:
    made = resources("AWS::SecretsManager::Secret")
    proxy = resources("AWS::RDS::DBProxy")["DatabaseProxy"]

    assert {one["SecretArn"]["Ref"] for one in proxy["Auth"]} == set(made)
    assert proxy["RequireTLS"] is True
    for properties in made.values():
        assert properties["GenerateSecretString"]["ExcludePunctuation"] is True
        assert properties["GenerateSecretString"]["PasswordLength"] >= 32
        assert properties["KmsKeyId"] == {"Ref": "DatabaseKey"}
    users = {
        json.loads(one["GenerateSecretString"]["SecretStringTemplate"])["username"]
        for one in made.values()
    }
    assert users == {*AppRole, "owner"}


def test_the_certificate_of_the_proxy_is_one_that_every_artifact_knows() -> None:
    file = Path(str(connection("oauth")["sslrootcert"]))
    bundled = Path(botocore.__file__).with_name(file.name)

    assert file.parts[:4] == ("/", "var", "task", "botocore")
    assert "CN=Amazon Root CA 1 " in bundled.read_text()


def test_the_database_is_encrypted_survives_a_zone_and_can_go_back() -> None:
    cluster = resources("AWS::RDS::DBCluster")["Database"]

    assert cluster["StorageEncrypted"] is True
    assert cluster["DeletionProtection"] is True
    assert cluster["BackupRetentionPeriod"] >= 7
    assert template()["Resources"]["Database"]["DeletionPolicy"] == "Snapshot"
    assert len(resources("AWS::RDS::DBInstance")) == 2
    parameters = resources("AWS::RDS::DBClusterParameterGroup")["DatabaseParameters"]["Parameters"]
    assert parameters["rds.force_ssl"] == "1"
    assert parameters["log_parameter_max_length"] == "0"


def test_nobody_but_the_proxy_reaches_the_database_and_nobody_but_functions_the_proxy() -> None:
    groups = resources("AWS::EC2::SecurityGroup")
    sources = {
        name: [rule["SourceSecurityGroupId"] for rule in group.get("SecurityGroupIngress", [])]
        for name, group in groups.items()
    }

    assert sources == {
        "FunctionsSecurityGroup": [],
        "ProxySecurityGroup": [{"Ref": "FunctionsSecurityGroup"}],
        "DatabaseSecurityGroup": [{"Ref": "ProxySecurityGroup"}],
    }
    for instance in resources("AWS::RDS::DBInstance").values():
        assert instance["PubliclyAccessible"] is False


def test_every_function_with_a_database_is_in_the_private_network() -> None:
    for name in (*WITH_DATABASE, OWNER):
        condition, ours, _given = function(name)["VpcConfig"]["Fn::If"]
        assert condition == "IsDatabaseOurs"
        assert ours["SubnetIds"] == [{"Ref": "PrivateSubnetA"}, {"Ref": "PrivateSubnetB"}]


def test_an_exhausted_proxy_answers_within_three_seconds() -> None:
    pool = resources("AWS::RDS::DBProxyTargetGroup")["DatabaseProxyTargets"]
    waits = pool["ConnectionPoolConfigurationInfo"]["ConnectionBorrowTimeout"]

    assert waits < 3


def test_the_database_is_there_before_its_first_migration() -> None:
    steps = resources("Custom::DatabaseStep")
    (expand,) = (one for one in steps.values() if one["Step"] == "expand")
    waited_for = {one["Ref"] for one in expand["After"]["Fn::If"][1]}

    assert {"DatabaseProxyTargets", "DatabaseWriter", "RouteOut"} <= waited_for


def test_a_mode_and_what_it_needs_are_asked_together() -> None:
    (rule,) = (one for name, one in template()["Rules"].items() if name.startswith("Database"))
    text = str(rule["Assertions"])

    assert all(word in text for word in ("DatabaseMode", "DatabaseSecretArn", "VpcSubnetIds"))
