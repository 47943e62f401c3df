"""A deployment changes the database before and after its code, and always gets an answer."""

from typing import Any

import psycopg
import pytest

from functions.migrate.deployment_answer import ATTEMPTS_MAX
from shared.observability.instrument import InvocationError
from shared.state.migrator import all_migrations
from tests.integration.migrate.conftest import PASSWORD, SIGNATURE, CloudFormation, Migrations

NAMES = [one.name for one in all_migrations()]
UNREACHABLE = "host=127.0.0.1 port=9 dbname=nowhere user=owner password=hunter2 connect_timeout=2"


def may_delete_sign_ins(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "SELECT has_table_privilege('app_mcp_endpoint', 'app.sign_ins', 'DELETE')"
        ).fetchone()
    return row is not None and bool(row[0])


def may_authenticate(conninfo: str) -> bool:
    with psycopg.connect(conninfo) as connection:
        row = connection.execute(
            "SELECT has_function_privilege("
            "'app_mcp_endpoint', 'app.authenticate_call(bytea)', 'EXECUTE')"
        ).fetchone()
    return row is not None and bool(row[0])


def failure_of(cloudformation: CloudFormation) -> str:
    (answer,) = cloudformation.answers
    assert answer["Status"] == "FAILED"
    return str(answer["Reason"])


def test_a_first_deployment_makes_the_schema_and_the_rights_of_every_function(
    migrations: Migrations, cloudformation: CloudFormation, empty_database: str
) -> None:
    result = migrations(cloudformation.request("Create"))

    assert result == {"applied": NAMES}
    (answer,) = cloudformation.answers
    assert answer == {
        "Status": "SUCCESS",
        "Reason": "",
        "PhysicalResourceId": answer["PhysicalResourceId"],
        "StackId": "arn:aws:cloudformation:eu-central-1:1:stack/s/1",
        "RequestId": "Create-expand",
        "LogicalResourceId": "DatabaseExpanded",
        "Data": {"Applied": str(len(NAMES))},
    }
    assert may_authenticate(empty_database)


def test_roles_get_the_passwords_of_the_secret(migrations: Migrations, empty_database: str) -> None:
    migrations({"step": "expand"})

    with psycopg.connect(empty_database) as connection:
        rows = connection.execute(
            "SELECT rolpassword LIKE 'SCRAM-SHA-256$%' FROM pg_authid WHERE rolname LIKE 'app\\_%'"
        ).fetchall()
    assert rows
    assert all(has_verifier for (has_verifier,) in rows)


def test_an_update_never_looks_like_a_replacement(
    migrations: Migrations, cloudformation: CloudFormation
) -> None:
    migrations(cloudformation.request("Create"))
    migrations(cloudformation.request("Update"))
    migrations(cloudformation.request("Update", "contract"))

    assert len({answer["PhysicalResourceId"] for answer in cloudformation.answers}) == 1
    assert [answer["Data"]["Applied"] for answer in cloudformation.answers[1:]] == ["0", "0"]


def test_rights_that_only_the_code_before_needs_go_after_the_traffic_has_moved(
    migrations: Migrations, cloudformation: CloudFormation, empty_database: str
) -> None:
    migrations(cloudformation.request("Create"))
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute("GRANT DELETE ON app.sign_ins TO app_mcp_endpoint")

    migrations(cloudformation.request("Update", "expand"))
    while_both_run = may_delete_sign_ins(empty_database)
    migrations(cloudformation.request("Update", "contract"))

    assert while_both_run
    assert not may_delete_sign_ins(empty_database)
    assert may_authenticate(empty_database)


def test_the_end_of_a_stack_leaves_the_database_alone(
    migrations: Migrations, cloudformation: CloudFormation
) -> None:
    migrations.use(UNREACHABLE)

    migrations(cloudformation.request("Delete"))

    assert [answer["Status"] for answer in cloudformation.answers] == ["SUCCESS"]


def test_a_database_that_is_away_fails_the_deployment_and_no_secret_is_told(
    migrations: Migrations, cloudformation: CloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    migrations.use(UNREACHABLE)

    migrations(cloudformation.request("Update"))

    reason = failure_of(cloudformation)
    assert "OperationalError" in reason
    assert "correlation id" in reason
    # Where the database is, only our own log may say.
    assert "127.0.0.1" not in reason
    told = reason + capsys.readouterr().out
    for secret in ("hunter2", PASSWORD, SIGNATURE):
        assert secret not in told


def test_an_edited_migration_fails_the_deployment_by_its_name(
    migrations: Migrations, cloudformation: CloudFormation, empty_database: str
) -> None:
    migrations({"step": "expand"})
    with psycopg.connect(empty_database, autocommit=True) as connection:
        connection.execute(
            "UPDATE app.schema_migrations SET checksum = 'other' WHERE name = %s", [NAMES[0]]
        )

    migrations(cloudformation.request("Update"))

    assert NAMES[0] in failure_of(cloudformation)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"without": "oauth"}, "no key oauth"),
        ({"without": "migrate"}, "no key migrate"),
        ({"user": "postgres"}, "oauth must connect as app_oauth"),
    ],
)
def test_a_secret_that_lacks_something_fails_the_deployment_and_says_what(
    migrations: Migrations, cloudformation: CloudFormation, settings: dict[str, str], told: str
) -> None:
    migrations.use(migrations.owner_url, **settings)

    migrations(cloudformation.request("Create"))

    reason = failure_of(cloudformation)
    assert told in reason
    assert PASSWORD not in reason


def test_an_answer_is_sent_again_until_it_is_taken(
    migrations: Migrations, cloudformation: CloudFormation
) -> None:
    cloudformation.refusals_left = ATTEMPTS_MAX - 1

    migrations(cloudformation.request("Delete"))

    assert len(cloudformation.answers) == 1
    assert cloudformation.content_types == [None]


def test_an_answer_that_nobody_takes_fails_the_invocation(
    migrations: Migrations, cloudformation: CloudFormation, capsys: pytest.CaptureFixture[str]
) -> None:
    cloudformation.refusals_left = ATTEMPTS_MAX

    with pytest.raises(InvocationError):
        migrations(cloudformation.request("Delete"))

    assert SIGNATURE not in capsys.readouterr().out


@pytest.mark.parametrize(
    "event", [{}, {"step": "drop"}, {"step": "expand", "more": 1}, {"RequestType": "Create"}]
)
def test_what_is_no_request_is_refused_before_the_database_is_touched(
    migrations: Migrations, event: dict[str, Any], empty_database: str
) -> None:
    with pytest.raises(InvocationError):
        migrations(event)

    with psycopg.connect(empty_database) as connection:
        schema = connection.execute("SELECT to_regnamespace('app')").fetchone()
    assert schema == (None,)
