"""The functions as the local stack runs them: handlers, variables and limits.

It must not know what a function does; it only says where things are.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from psycopg.conninfo import make_conninfo

from scripts.artifacts.build import Artifacts
from scripts.lambda_emulator.specification import FunctionSpec
from scripts.local_stack.addresses import Addresses
from scripts.local_stack.local_clients import LOCAL_CLIENTS
from scripts.local_stack.options import REGION, RealSite
from scripts.local_stack.postgres import PostgresServer
from scripts.local_stack.queues import BATCHES_AT_ONCE_MAX, QueueAddresses
from shared.state.roles import AppRole

DATABASE: Final = "drupalize_mcp"
STREAMING_SECONDS_MAX: Final = 60.0
BUFFERED_SECONDS_MAX: Final = 30.0
SCHEDULED_SECONDS_MAX: Final = 120.0
REFRESHER_SECONDS_MAX: Final = 50.0
"""As deployed: less than a message stays invisible."""
CANARY_SECONDS_MAX: Final = 55.0
REFRESHERS_MAX: Final = 1 + 2 * BATCHES_AT_ONCE_MAX
"""A tick, and batches of both queues."""


@dataclass(frozen=True)
class Surroundings:
    """Everything that the functions are told."""

    addresses: Addresses
    postgres: PostgresServer
    kms_key_id: str
    queues: QueueAddresses
    site: RealSite
    log_level: str
    origin_secret: str = field(repr=False)
    artifacts: Artifacts | None = None
    more_variables: Mapping[str, str] = field(default_factory=dict)
    pool_address: Mapping[str, str] = field(default_factory=dict)
    """Host and port of PgBouncer; empty for Postgres itself, where migrations always go."""
    environments_max: int = 10
    trace_daemon: str | None = None
    """Where an X-Ray daemon listens, if one does."""

    def variables(self, role: AppRole) -> dict[str, str]:
        """Environment variables of the function with that database role."""
        site = self.site
        secrets = {"DRUPAL_CLIENT_SECRET": site.client_secret} if site.client_secret else {}
        scopes = {"DRUPAL_SCOPES": site.scopes} if site.scopes else {}
        return {
            "DATABASE_URL": make_conninfo(
                self.postgres.conninfo(DATABASE, role.value), **self.pool_address
            ),
            "KMS_KEY_ID": self.kms_key_id,
            "ORIGIN_SECRET": self.origin_secret,
            "PREREGISTERED_CLIENTS": LOCAL_CLIENTS,
            "DRUPAL_BASE_URL": site.base_url,
            "DRUPAL_CLIENT_ID": site.client_id,
            **self.queues.variables,
            **secrets,
            **scopes,
            **self._for_everybody(),
        }

    def variables_of_the_owner(self) -> dict[str, str]:
        """Environment variables of the function that migrates."""
        urls = {
            role.value.removeprefix("app_"): self.postgres.conninfo(DATABASE, role.value)
            for role in AppRole
        }
        owner = {"migrate": self.postgres.conninfo(DATABASE)}
        return self._for_everybody() | {"DATABASE_URLS": json.dumps(urls | owner)}

    def variables_of_an_outsider(self) -> dict[str, str]:
        """Environment variables of a function that knows public addresses only."""
        versions = {"CHECKED_MCP_VERSION": "mcp_endpoint", "CHECKED_OAUTH_VERSION": "oauth"}
        return self._for_everybody() | versions

    def _for_everybody(self) -> dict[str, str]:
        """What every function is told; what a stack was given in addition comes last."""
        return {
            "STAGE": "local",
            "RELEASE": "local",
            "LOG_LEVEL": self.log_level,
            "ISSUER_URL": self.addresses.issuer_url,
            "MCP_URL": self.addresses.mcp_url,
            "AWS_ENDPOINT_URL": self.addresses.aws_url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": "local",
            "AWS_SECRET_ACCESS_KEY": "local",
            **self._traced(),
            **self.more_variables,
        }

    def _traced(self) -> dict[str, str]:
        if self.trace_daemon is None:
            return {}
        return {"TRACE_ENABLED": "true", "AWS_XRAY_DAEMON_ADDRESS": self.trace_daemon}


def specifications(around: Surroundings) -> list[FunctionSpec]:
    """The functions, in the order in which they start."""
    functions = _functions(around)
    if around.artifacts is None:
        return functions
    return [from_artifact(function, around.artifacts) for function in functions]


def from_artifact(function: FunctionSpec, artifacts: Artifacts) -> FunctionSpec:
    """The function as its artifact, run by an interpreter that knows no other package."""
    code = artifacts.code_of(function.name)
    streams = function.invoke_mode == "RESPONSE_STREAM"
    wrapper = {"AWS_LAMBDA_EXEC_WRAPPER": f"{code}/shared/lambda_stream/exec_wrapper"}
    return replace(
        function,
        environment={**function.environment, **(wrapper if streams else {})},
        task_folder=code,
        interpreter=str(artifacts.python),
        import_folders=(code, artifacts.runtime_client),
    )


def _functions(around: Surroundings) -> list[FunctionSpec]:
    return [
        FunctionSpec(
            name="oauth",
            handler="functions.oauth.handler.handler",
            environment=around.variables(AppRole.OAUTH),
            timeout_seconds=BUFFERED_SECONDS_MAX,
            port=around.addresses.oauth_port,
            environments_max=around.environments_max,
            region=REGION,
        ),
        FunctionSpec(
            name="mcp_endpoint",
            handler="functions.mcp_endpoint.handler.handler",
            environment=around.variables(AppRole.MCP_ENDPOINT),
            invoke_mode="RESPONSE_STREAM",
            timeout_seconds=STREAMING_SECONDS_MAX,
            port=around.addresses.mcp_port,
            environments_max=around.environments_max,
            region=REGION,
        ),
        FunctionSpec(
            name="token_refresh",
            handler="functions.token_refresh.handler.handler",
            environment=around.variables(AppRole.TOKEN_REFRESH),
            timeout_seconds=REFRESHER_SECONDS_MAX,
            environments_max=REFRESHERS_MAX,
            has_url=False,
            region=REGION,
        ),
        _one_at_a_time("cleanup", around.variables(AppRole.CLEANUP)),
        _one_at_a_time("canary", around.variables_of_an_outsider(), seconds=CANARY_SECONDS_MAX),
        _one_at_a_time("release_check", around.variables_of_an_outsider()),
        _one_at_a_time("migrate", around.variables_of_the_owner()),
    ]


def _one_at_a_time(
    name: str, environment: Mapping[str, str], *, seconds: float = SCHEDULED_SECONDS_MAX
) -> FunctionSpec:
    """A function without an address, of which no two runs meet."""
    return FunctionSpec(
        name=name,
        handler=f"functions.{name}.handler.handler",
        environment=environment,
        timeout_seconds=seconds,
        environments_max=1,
        has_url=False,
        region=REGION,
    )
