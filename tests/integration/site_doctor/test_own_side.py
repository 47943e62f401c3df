"""The doctor looks at a deployment's own side: secrets, database, key; all of it played by moto."""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from scripts.site_doctor import own_side
from scripts.site_doctor.findings import Finding, Verdict
from shared.state.roles import AppRole, ensure_roles


@pytest.fixture
def environment(
    database_url: str,
    database_admin: psycopg.Connection[Any],
    kms_endpoint: str,
    kms_key_id: str,
) -> Iterator[dict[str, str]]:
    """What a function is told, its connection string in a secret."""
    ensure_roles(database_admin, {AppRole.OAUTH: None})
    urls = {"oauth": make_conninfo(database_url, user=AppRole.OAUTH.value)}
    client = boto3.client("secretsmanager", endpoint_url=kms_endpoint)
    stored = client.create_secret(Name="database", SecretString=json.dumps(urls))
    yield {"DATABASE_URL": f"secret:{stored['ARN']}#oauth", "KMS_KEY_ID": kms_key_id}
    client.delete_secret(SecretId=stored["ARN"], ForceDeleteWithoutRecovery=True)
    client.close()


async def looked(environment: dict[str, str]) -> dict[str, Finding]:
    return {one.check: one for one in await own_side.look(environment)}


async def test_a_sound_side_is_praised(environment: dict[str, str]) -> None:
    found = await looked(environment)

    assert {name: one.verdict for name, one in found.items()} == {
        "secrets": Verdict.GOOD,
        "database": Verdict.GOOD,
        "key": Verdict.GOOD,
    }


@pytest.mark.parametrize(
    ("check", "changes"),
    [
        pytest.param("secrets", {"DATABASE_URL": "secret:nowhere#oauth"}, id="no secret"),
        pytest.param("secrets", {"KMS_KEY_ID": ""}, id="a variable missing"),
        pytest.param(
            "database",
            {"DATABASE_URL": "host=127.0.0.1 port=9 user=app_oauth connect_timeout=2"},
            id="database away",
        ),
        pytest.param("key", {"KMS_KEY_ID": "00000000-0000-0000-0000-000000000000"}, id="no key"),
    ],
)
async def test_what_is_wrong_is_found_and_no_value_is_shown(
    environment: dict[str, str], check: str, changes: dict[str, str]
) -> None:
    found = await looked(environment | changes)

    assert found[check].verdict is Verdict.BROKEN
    assert found[check].remedy
    assert not any(value and value in str(found[check]) for value in changes.values())
