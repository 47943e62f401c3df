import sys
from pathlib import Path
from typing import cast

import pytest
from psycopg.conninfo import conninfo_to_dict

from scripts.deployment import sam_local
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.stack import Stack

ENVIRONMENT = {
    "DATABASE_URL": "host=/run/somewhere port=5432 dbname=app user=role",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:5000",
    "AWS_REGION": "eu-central-1",
    "DRUPAL_BASE_URL": "http://127.0.0.2:8713",
    "ISSUER_URL": "http://localhost:8711",
    "REFRESH_QUEUE_URL": "http://127.0.0.1:5000/1/refresh",
    "WATCHDOG_QUEUE_URL": "http://127.0.0.1:5000/1/watchdog",
}


class _OneFunction:
    functions = (FunctionSpec(name="oauth", handler="h", environment=ENVIRONMENT),)


def _variables(host: str) -> dict[str, str]:
    stack = cast("Stack", _OneFunction())
    return sam_local.variables(stack, host=host, postgres_port=6000)["OAuthFunction"]


def test_containers_on_another_network_reach_this_machine_by_its_name() -> None:
    given = _variables("host.docker.internal")

    assert given["AWS_ENDPOINT_URL"] == "http://host.docker.internal:5000"
    assert given["DRUPAL_BASE_URL"] == "http://host.docker.internal:8713"
    assert given["REFRESH_QUEUE_URL"] == "http://host.docker.internal:5000/1/refresh"
    known = conninfo_to_dict(given["DATABASE_URL"])
    assert (known["host"], known["port"], known["user"]) == ("host.docker.internal", "6000", "role")


def test_addresses_that_people_and_clients_know_stay_as_they_are() -> None:
    assert _variables("host.docker.internal")["ISSUER_URL"] == "http://localhost:8711"
    assert _variables("127.0.0.1")["DRUPAL_BASE_URL"] == "http://127.0.0.2:8713"


def test_only_what_the_sam_cli_hands_over_is_in_the_file() -> None:
    assert "AWS_REGION" not in _variables("127.0.0.1")


def test_a_file_with_secrets_is_its_owners_only(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "env.json"

    sam_local._write(file, {"a": 1})

    assert file.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize(
    ("platform", "host"), [("linux", "127.0.0.1"), ("darwin", "host.docker.internal")]
)
def test_the_name_of_this_machine_depends_on_where_containers_live(
    platform: str, host: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "platform", platform)

    assert sam_local.host_seen_from_containers() == host
