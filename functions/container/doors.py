"""A door as a process: uvicorn, and the app that the function's own composition makes.

A process cannot be composed without its secrets, so it ends where a function would answer 503:
the container's host starts another one.
"""

from collections.abc import Callable, Mapping
from typing import Final

import uvicorn

from functions.container.observed_door import ObservedDoor
from functions.container.roles import Role
from functions.mcp_endpoint.answers import AsgiApp
from functions.mcp_endpoint.composition import compose as compose_mcp_endpoint
from functions.oauth.composition import compose as compose_oauth
from shared.errors.base import ServiceError
from shared.observability import instrument, tracing
from shared.observability.logging import log
from shared.settings import (
    McpEndpointFunctionSettings,
    OAuthFunctionSettings,
    ObservabilitySettings,
)
from shared.settings_group import Stage
from shared.stored_settings import environment_with_stored

DRAIN_SECONDS_MAX: Final = 25
"""For answers under way after SIGTERM; hosts commonly kill after thirty."""
KEEP_ALIVE_SECONDS: Final = 75
"""Longer than load balancers keep an idle connection, so that none is used while it closes."""


def _mcp_endpoint() -> AsgiApp:
    settings = McpEndpointFunctionSettings.from_environment(environment_with_stored())
    return compose_mcp_endpoint(settings).app


def _oauth() -> AsgiApp:
    settings = OAuthFunctionSettings.from_environment(environment_with_stored())
    return compose_oauth(settings).app


_APPS: Final[Mapping[Role, Callable[[], AsgiApp]]] = {
    Role.MCP_ENDPOINT: _mcp_endpoint,
    Role.OAUTH: _oauth,
}


def serve(role: Role, *, host: str, port: int) -> int:
    """Serve until SIGTERM or SIGINT. Exit status: 1 when it could not start."""
    settings = ObservabilitySettings.from_environment()
    instrument.start(role.value, settings)
    # A provider's segment is an invocation's; here many requests share the process.
    tracing.use(None)
    try:
        app = _APPS[role]()
    except ServiceError as error:
        log.error("door not composed", error_code=error.code.value, facts=error.facts)
        return 1
    door = ObservedDoor(app, function=role.value, https=settings.stage is not Stage.LOCAL)
    uvicorn.run(
        door,
        host=host,
        port=port,
        # The caller's address from X-Forwarded-For, where FORWARDED_ALLOW_IPS names the proxy.
        proxy_headers=True,
        server_header=False,
        date_header=True,
        # Addresses of requests hold codes and states: our own lines leave queries out.
        access_log=False,
        log_config=None,
        timeout_graceful_shutdown=DRAIN_SECONDS_MAX,
        timeout_keep_alive=KEEP_ALIVE_SECONDS,
    )
    return 0
