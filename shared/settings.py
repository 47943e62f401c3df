"""Everything that can be configured: frozen groups, read from the environment, nowhere else.

A composition root asks for its own class once, at start; a missing or malformed setting stops the
start with every such name at once. The name of a setting is the upper-case name of its field.
Values of secrets are never part of the message.
"""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, SecretStr, model_validator

from shared.cleanup_settings import CleanupSettings
from shared.edge_settings import EdgeSettings
from shared.settings_group import SecretTexts, SettingsGroup, Stage, UrlText, Words


class ObservabilitySettings(SettingsGroup):
    """Logs, metrics, traces and crash reports."""

    log_level: str = Field(default="INFO", description="Least level that is logged.")
    log_debug_sample_rate: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="Share of invocations that are logged at DEBUG, whatever LOG_LEVEL is.",
    )
    release: str = Field(default="unreleased", description="Version shown in logs and reports.")
    sentry_dsn: SecretStr | None = Field(default=None, description="Empty: no crash reports.")
    sentry_traces_sample_rate: float = Field(
        default=0.0, ge=0, le=1, description="Share of invocations whose performance is reported."
    )
    trace_provider: Literal["none", "xray", "opentelemetry"] = Field(
        default="none",
        description="Where spans go beside log and metrics: xray (on Lambda only), opentelemetry "
        "(its packages are an extra, see docs/tracing.md) or none.",
    )
    trace_sample_rate: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Share of traces that OpenTelemetry records; for X-Ray, Lambda decides.",
    )
    otlp_traces_url: UrlText | None = Field(
        default=None,
        description="Where a collector takes traces by OTLP over HTTP (`.../v1/traces`); required "
        "for opentelemetry.",
    )
    otlp_timeout_seconds: float = Field(
        default=0.5,
        gt=0,
        le=5,
        description="Longest wait for the collector at the end of an invocation.",
    )
    debug_answers: bool = Field(
        default=False,
        description="Debug mode: error answers tell their causes, redacted; refused in prod.",
    )
    aws_lambda_function_memory_size: int | None = Field(
        default=None, gt=0, description="Memory of the function in MB; set by Lambda itself."
    )
    memory_share_max: float = Field(
        default=0.85,
        gt=0,
        le=1,
        description="Share of the function's memory above which an environment empties its "
        "caches, and retires if that does not help.",
    )

    @model_validator(mode="after")
    def _no_debugging_in_production(self) -> Self:
        if self.debug_answers and self.stage is Stage.PROD:
            raise ValueError("DEBUG_ANSWERS is refused in the stage prod")
        return self

    @model_validator(mode="after")
    def _collector_for_open_telemetry(self) -> Self:
        if self.trace_provider == "opentelemetry" and self.otlp_traces_url is None:
            raise ValueError("OTLP_TRACES_URL is required if TRACE_PROVIDER is opentelemetry")
        return self


class OriginSettings(SettingsGroup):
    """Our own public addresses, and what the documents under them say."""

    issuer_url: UrlText = Field(description="Issuer of the authorization server, exact string.")
    mcp_url: UrlText = Field(description="The MCP endpoint: canonical resource identifier.")
    dynamic_registration_enabled: bool = Field(
        default=True, description="Whether clients may register themselves; metadata says so."
    )
    site_tools_enabled: bool = Field(
        default=True,
        description="Whether the site's own tools are offered, and people asked to allow them.",
    )

    @model_validator(mode="after")
    def _secure_origins(self) -> Self:
        self.require_https("issuer_url", "mcp_url")
        return self


class DatabaseSettings(SettingsGroup):
    """Postgres."""

    database_url: SecretStr = Field(description="libpq connection string of the function's role.")
    database_connections_max: int = Field(
        default=1, ge=1, le=50, description="Connections per process; 1 on Lambda."
    )
    database_connect_timeout_seconds: float = Field(
        default=2.0, gt=0, description="Longest wait for a connection."
    )
    database_statement_timeout_seconds: float = Field(
        default=3.0, gt=0, description="Longest wait for one statement's answer."
    )
    database_slow_statement_milliseconds: float = Field(
        default=250.0, gt=0, description="A statement that takes this long is logged by its name."
    )
    database_connection_seconds_max: float = Field(
        default=1_800.0,
        gt=0,
        description="Age at which a connection is replaced; each one up to a fifth earlier.",
    )
    database_connection_uses_max: int = Field(
        default=10_000, gt=0, description="Transactions after which it is replaced, likewise."
    )


class VaultSettings(SettingsGroup):
    """The key under which upstream tokens are sealed."""

    kms_key_id: str = Field(description="Id, ARN or alias of the KMS key.")
    kms_connect_timeout_seconds: float = Field(default=1.0, gt=0, description="Connect timeout.")
    kms_read_timeout_seconds: float = Field(default=2.0, gt=0, description="Answer timeout.")
    data_key_cache_seconds: int = Field(
        default=300,
        ge=1,
        le=300,
        description="How long an opened data key is used before KMS is asked again.",
    )


class StateSettings(DatabaseSettings, VaultSettings):
    """Where grants live, and what opens them."""


class UpstreamSettings(SettingsGroup):
    """The Drupal site."""

    drupal_base_url: UrlText = Field(description="Origin of the Drupal site.")
    drupal_client_id: str = Field(description="Our client id at the site.")
    drupal_client_secret: SecretStr | None = Field(
        default=None, description="Our client secret at the site; empty for a public client."
    )
    drupal_scopes: Words = Field(
        default=("tutorial:read", "tutorial:search", "member"),
        description="Scopes asked of the site at every sign-in, separated by spaces.",
    )
    drupal_search_method: str = Field(
        default="dme_mcp.search_content", description="JSON-RPC method that searches."
    )
    drupal_read_method: str = Field(
        default="tutorial.get", description="JSON-RPC method that returns one item by id."
    )
    drupal_connect_timeout_seconds: float = Field(default=1.0, gt=0, description="Connect timeout.")
    drupal_rpc_timeout_seconds: float = Field(
        default=8.0, gt=0, description="Longest wait for one JSON-RPC answer."
    )
    drupal_oauth_timeout_seconds: float = Field(
        default=8.0, gt=0, description="Longest wait for one answer of the site's OAuth server."
    )
    drupal_connection_seconds_max: float = Field(
        default=1_800.0,
        gt=0,
        description="Age at which connections to the site are replaced; up to a fifth earlier.",
    )
    drupal_connection_uses_max: int = Field(
        default=10_000, gt=0, description="Requests after which they are replaced, likewise."
    )
    drupal_answer_bytes_max: int = Field(
        default=5_000_000, gt=0, description="Largest answer read from the site."
    )

    @model_validator(mode="after")
    def _secure_upstream(self) -> Self:
        self.require_https("drupal_base_url")
        return self


class SessionSettings(SettingsGroup):
    """Lifetimes of what we issue."""

    access_token_seconds: int = Field(default=28_800, gt=0, description="Life of an access token.")
    refresh_token_sliding_seconds: int = Field(
        default=2_592_000, gt=0, description="Life of a refresh token that is not used."
    )
    refresh_token_absolute_seconds: int = Field(
        default=7_776_000, gt=0, description="Life of a session, however often it is refreshed."
    )


class SpillSettings(SettingsGroup):
    """The second store of refreshed pairs; optional in the local stage only."""

    spill_table: str | None = Field(
        default=None,
        description="DynamoDB table for refreshed pairs that Postgres does not take; required "
        "outside the local stage. Empty: none.",
    )

    @model_validator(mode="after")
    def _spill_outside_local(self) -> Self:
        self.require_outside_local("spill_table")
        return self


class SafetyNetSettings(SpillSettings):
    """What catches a refresh whose worker or database dies; optional in the local stage only."""

    watchdog_queue_url: str | None = Field(
        default=None,
        description="SQS queue of repeats; required outside the local stage. Empty: no repeats.",
    )

    @model_validator(mode="after")
    def _watchdog_outside_local(self) -> Self:
        self.require_outside_local("watchdog_queue_url")
        return self


class RefreshSettings(SettingsGroup):
    """Background refresh of upstream pairs."""

    refresh_queue_url: str | None = Field(
        default=None,
        description="SQS queue of due grants; required outside the local stage. Empty: the tick "
        "refreshes all by itself.",
    )
    refresh_inline_max: int = Field(
        default=20,
        ge=0,
        description="Due grants that one tick refreshes by itself; more go to the queue.",
    )
    refresh_batch_max: int = Field(
        default=100, gt=0, description="Most grants that one tick takes without the queue."
    )
    refresh_concurrency_max: int = Field(
        default=5, gt=0, description="Most refreshes under way at once in one process."
    )
    refresh_per_second_max: float = Field(
        default=50.0,
        gt=0,
        description="Background refreshes per second that the site is asked for, as the schedule "
        "spreads them after an outage or a mass expiry.",
    )
    refresh_seen_days_max: int = Field(
        default=7,
        gt=0,
        description="Days since a person's last call in which their pairs are refreshed ahead; "
        "later on demand, and kept alive.",
    )
    drupal_refresh_token_days: int = Field(
        default=14,
        ge=1,
        le=180,
        description="Days for which the site keeps a refresh token that nobody uses (refresh token "
        "expiration of its consumer); pairs are kept alive after half of them.",
    )

    @model_validator(mode="after")
    def _queue_outside_local(self) -> Self:
        self.require_outside_local("refresh_queue_url")
        return self


class McpEndpointFunctionSettings(
    ObservabilitySettings,
    OriginSettings,
    EdgeSettings,
    StateSettings,
    UpstreamSettings,
    SafetyNetSettings,
):
    """All that functions/mcp_endpoint reads."""

    site_name: str = Field(
        default="Drupalize.me", min_length=1, description="Name of the site, as models read it."
    )
    membership_url: UrlText | None = Field(
        default=None,
        description="Page of the site where people get a membership; told where one is needed.",
    )
    request_body_bytes_max: int = Field(
        default=1_000_000, gt=0, description="Largest request body accepted."
    )
    search_recent_seconds: int = Field(
        default=0,
        ge=0,
        le=300,
        description="For so long a person's same search gets what it found before, with its age, "
        "without asking the site; 0: never.",
    )
    calls_in_flight_max: int = Field(
        default=5, ge=1, le=100, description="Calls of tools that one person may have under way."
    )
    call_limits_factor: int = Field(
        default=1,
        ge=1,
        le=10_000,
        description="Times the limits of docs/limits.md on calls of one person; for load tests.",
    )
    calls_at_once_max: int | None = Field(
        default=None,
        ge=1,
        description="Requests that one process serves at once; as many wait. Empty on Lambda, "
        "where it is one.",
    )


class OAuthFunctionSettings(
    ObservabilitySettings,
    OriginSettings,
    EdgeSettings,
    StateSettings,
    UpstreamSettings,
    SessionSettings,
):
    """All that functions/oauth reads."""

    preregistered_clients: str = Field(
        default="",
        description="Clients that need not register, as a JSON list; see docs/clients.md.",
    )
    client_document_authorities_file: str | None = Field(
        default=None,
        description="PEM file of an authority whose certificates are taken for client documents, "
        "beside the system's; local stage only.",
    )
    oauth_body_bytes_max: int = Field(
        default=64_000, gt=0, description="Largest form or JSON body accepted."
    )


class TokenRefreshFunctionSettings(
    ObservabilitySettings, StateSettings, UpstreamSettings, SafetyNetSettings, RefreshSettings
):
    """All that functions/token_refresh reads."""


class CleanupFunctionSettings(
    ObservabilitySettings, StateSettings, UpstreamSettings, SpillSettings, CleanupSettings
):
    """All that functions/cleanup reads."""


class CheckSettings(OriginSettings):
    """What the checks from outside need."""

    canary_secret_id: str | None = Field(
        default=None,
        description="Secret with the canary's session; empty: only what strangers can see is"
        " checked.",
    )


class CanaryFunctionSettings(ObservabilitySettings, CheckSettings):
    """All that functions/canary reads."""


class ReleaseCheckFunctionSettings(ObservabilitySettings, CheckSettings):
    """All that functions/release_check reads."""

    checked_mcp_version: str = Field(
        description="ARN of the version of mcp_endpoint that is about to get traffic."
    )
    checked_oauth_version: str = Field(
        description="ARN of the version of oauth that is about to get traffic."
    )


class MigrateFunctionSettings(ObservabilitySettings):
    """All that functions/migrate reads."""

    database_urls: SecretTexts = Field(
        description="JSON object with the libpq connection string of the database's owner (key"
        " migrate; the writer itself, no pooler) and of every role (its name without app_)."
    )


FUNCTION_SETTINGS: Mapping[str, type[SettingsGroup]] = {
    "mcp_endpoint": McpEndpointFunctionSettings,
    "oauth": OAuthFunctionSettings,
    "token_refresh": TokenRefreshFunctionSettings,
    "cleanup": CleanupFunctionSettings,
    "migrate": MigrateFunctionSettings,
    "canary": CanaryFunctionSettings,
    "release_check": ReleaseCheckFunctionSettings,
}
