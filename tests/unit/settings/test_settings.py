"""Settings fail at start, with every name at once and no value."""

import pytest

from shared.settings import FUNCTION_SETTINGS, McpEndpointFunctionSettings, OAuthFunctionSettings
from shared.settings_group import SettingsError

COMPLETE = {
    "STAGE": "prod",
    "ISSUER_URL": "https://auth.example",
    "MCP_URL": "https://mcp.example/mcp",
    "DATABASE_URL": "postgresql://app:hunter2@db.example/app",
    "KMS_KEY_ID": "alias/app",
    "DRUPAL_BASE_URL": "https://drupal.example",
    "DRUPAL_CLIENT_ID": "client",
}
QUEUES = {
    "REFRESH_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/refresh",
    "WATCHDOG_QUEUE_URL": "https://sqs.eu-central-1.amazonaws.com/1/watchdog",
    "SPILL_TABLE": "spill",
}
URLS = {"DATABASE_URLS": '{"migrate": "host=db.example password=hunter2"}'}
VERSIONS = {"CHECKED_MCP_VERSION": "mcp:1", "CHECKED_OAUTH_VERSION": "oauth:1"}
DEPLOYED = COMPLETE | QUEUES | URLS | VERSIONS


@pytest.mark.parametrize("function", list(FUNCTION_SETTINGS))
def test_every_function_starts_with_the_required_settings_only(function: str) -> None:
    assert FUNCTION_SETTINGS[function].from_environment(DEPLOYED).stage == "prod"


@pytest.mark.parametrize("name", list(QUEUES))
@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_a_deployment_without_a_queue_or_a_second_store_does_not_start(
    name: str, stage: str
) -> None:
    lacking = {key: value for key, value in DEPLOYED.items() if key != name} | {"STAGE": stage}

    with pytest.raises(SettingsError, match=name):
        FUNCTION_SETTINGS["token_refresh"].from_environment(lacking)


@pytest.mark.parametrize("function", ["mcp_endpoint", "token_refresh"])
def test_the_local_stage_can_do_without_them(function: str) -> None:
    settings = FUNCTION_SETTINGS[function].from_environment(COMPLETE | {"STAGE": "local"})

    assert settings.stage == "local"


def test_every_missing_name_is_told_at_once() -> None:
    with pytest.raises(SettingsError) as caught:
        McpEndpointFunctionSettings.from_environment({})

    for name in COMPLETE:
        assert name in str(caught.value)


def test_a_malformed_value_is_not_repeated() -> None:
    with pytest.raises(SettingsError) as caught:
        OAuthFunctionSettings.from_environment(
            COMPLETE | {"ACCESS_TOKEN_SECONDS": "hunter2", "STAGE": "moon"}
        )

    assert "hunter2" not in str(caught.value)
    assert "ACCESS_TOKEN_SECONDS" in str(caught.value)
    assert "STAGE" in str(caught.value)


@pytest.mark.parametrize("name", ["ISSUER_URL", "MCP_URL", "DRUPAL_BASE_URL"])
@pytest.mark.parametrize("stage", ["dev", "staging", "prod"])
def test_plain_http_is_refused_outside_the_local_stage(name: str, stage: str) -> None:
    with pytest.raises(SettingsError, match=name):
        OAuthFunctionSettings.from_environment(
            COMPLETE | {"STAGE": stage, name: "http://site.example"}
        )


def test_plain_http_is_allowed_in_the_local_stage() -> None:
    settings = OAuthFunctionSettings.from_environment(
        COMPLETE | {"STAGE": "local", "ISSUER_URL": "http://localhost:8080"}
    )

    assert settings.issuer_url == "http://localhost:8080"


@pytest.mark.parametrize(
    "url", ["https://a.example/", "https://u@a.example", "https://a.example?x", "ftp://a.example"]
)
def test_an_issuer_is_a_plain_origin_kept_byte_for_byte(url: str) -> None:
    with pytest.raises(SettingsError, match="ISSUER_URL"):
        OAuthFunctionSettings.from_environment(COMPLETE | {"ISSUER_URL": url})


def test_secrets_do_not_show_in_a_repr() -> None:
    assert "hunter2" not in repr(McpEndpointFunctionSettings.from_environment(DEPLOYED))


def test_settings_cannot_be_changed_after_start() -> None:
    settings = McpEndpointFunctionSettings.from_environment(DEPLOYED)

    with pytest.raises(ValueError, match="frozen"):
        settings.stage = "dev"  # type: ignore[assignment] # the point of the test
