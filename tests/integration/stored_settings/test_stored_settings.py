"""References in the environment, read from the real services' stand-in."""

import json

import boto3
import pytest

from shared.stored_settings import StoredSettingUnavailableError, resolve


@pytest.fixture
def stored(kms_endpoint: str) -> None:
    """One parameter and one secret."""
    boto3.client("ssm", endpoint_url=kms_endpoint).put_parameter(
        Name="/app/issuer-url", Value="https://auth.example", Type="String", Overwrite=True
    )
    secrets = boto3.client("secretsmanager", endpoint_url=kms_endpoint)
    if not secrets.list_secrets()["SecretList"]:
        secrets.create_secret(Name="app", SecretString=json.dumps({"oauth": "postgresql://oauth"}))


def test_references_are_replaced_and_the_rest_is_passed_through(stored: None) -> None:
    environment = {
        "ISSUER_URL": "ssm:/app/issuer-url",
        "DATABASE_URL": "secret:app#oauth",
        "STAGE": "prod",
    }

    assert resolve(environment) == {
        "ISSUER_URL": "https://auth.example",
        "DATABASE_URL": "postgresql://oauth",
        "STAGE": "prod",
    }


def test_references_inside_a_value_are_replaced_where_they_stand(stored: None) -> None:
    urls = '{"a": "host=a <secret:app#oauth>", "b": "<ssm:/app/issuer-url> <secret:app#oauth>"}'

    assert json.loads(resolve({"DATABASE_URLS": urls})["DATABASE_URLS"]) == {
        "a": "host=a postgresql://oauth",
        "b": "https://auth.example postgresql://oauth",
    }


@pytest.mark.parametrize("value", ["", "<secret>", "no ssm:/app/issuer-url", "<https://a.example>"])
def test_what_only_looks_like_a_reference_is_passed_through(value: str) -> None:
    assert resolve({"SITE_NAME": value}) == {"SITE_NAME": value}


@pytest.mark.parametrize(
    "reference", ["ssm:/app/none", "secret:none#x", "secret:app#none", "a=<secret:app#none>"]
)
def test_a_reference_to_nothing_names_the_setting_and_no_value(
    stored: None, reference: str
) -> None:
    with pytest.raises(StoredSettingUnavailableError) as caught:
        resolve({"DATABASE_URL": reference})

    assert caught.value.facts["setting"] == "DATABASE_URL"
    assert "postgresql" not in repr(caught.value.facts)


def test_a_changed_parameter_is_read_anew(stored: None, kms_endpoint: str) -> None:
    resolve({"ISSUER_URL": "ssm:/app/issuer-url"})
    boto3.client("ssm", endpoint_url=kms_endpoint).put_parameter(
        Name="/app/issuer-url", Value="https://other.example", Type="String", Overwrite=True
    )

    assert resolve({"ISSUER_URL": "ssm:/app/issuer-url"})["ISSUER_URL"] == "https://other.example"
