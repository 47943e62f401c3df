"""Composition root of the resource server: settings, adapters, app, streaming handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

import functools
from typing import Any

import snapshot_restore_py  # type: ignore[import-untyped] # ships no types

from functions.mcp_endpoint.composition import Parts, compose, refusing
from shared.errors.base import ServiceError
from shared.lambda_stream.asgi import StreamingAsgiHandler
from shared.observability.instrument import instrument
from shared.observability.logging import log
from shared.settings import McpEndpointFunctionSettings, ObservabilitySettings
from shared.stored_settings import environment_with_stored


@functools.cache
def _parts() -> Parts:
    return compose(McpEndpointFunctionSettings.from_environment(environment_with_stored()))


@functools.cache
def _endpoint() -> StreamingAsgiHandler:
    return StreamingAsgiHandler(_parts().app)


def _forget() -> None:
    """After a restore: what was opened before belongs to another environment."""
    if _parts.cache_info().currsize:
        _parts().forget()
    _parts.cache_clear()
    _endpoint.cache_clear()


snapshot_restore_py.register_after_restore(_forget)


@instrument("mcp_endpoint", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one Function URL event (payload format 2.0)."""
    try:
        endpoint = _endpoint()
    except ServiceError as error:
        log.error("function not composed", error_code=error.code.value, facts=error.facts)
        endpoint = StreamingAsgiHandler(refusing(error), lifespan=False)
    return endpoint(event, context)
