"""Composition root of the resource server: settings, adapters, app, streaming handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from functions.mcp_endpoint.composition import compose, refusing
from functions.mcp_endpoint.message_trace import trace_of_message
from shared import assembly
from shared.errors.base import ServiceError
from shared.lambda_stream.asgi import StreamingAsgiHandler
from shared.observability.instrument import instrument
from shared.observability.logging import log
from shared.once_per_environment import OncePerEnvironment
from shared.settings import McpEndpointFunctionSettings, ObservabilitySettings
from shared.settings_group import Stage
from shared.stored_settings import environment_with_stored

_observability = ObservabilitySettings.from_environment()
_parts = OncePerEnvironment(
    lambda: compose(McpEndpointFunctionSettings.from_environment(environment_with_stored())),
    prepare=assembly.prepare_with_nets,
)


@instrument("mcp_endpoint", _observability, trace_of=trace_of_message)
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one Function URL event (payload format 2.0)."""
    try:
        serve = _parts().serve
    except ServiceError as error:
        log.error("function not composed", error_code=error.code.value, facts=error.facts)
        refuse = refusing(error, https=_observability.stage is not Stage.LOCAL)
        serve = StreamingAsgiHandler(refuse, lifespan=False)
    return serve(event, context)
