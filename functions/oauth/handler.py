"""Composition root of the authorization server: settings, adapters, application, handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from functions.oauth.composition import compose
from functions.oauth.last_resort import unanswerable
from shared import assembly
from shared.errors.base import ServiceError
from shared.lambda_stream.event_loop import on_event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import OAuthFunctionSettings, ObservabilitySettings
from shared.settings_group import Stage
from shared.stored_settings import environment_with_stored

_observability = ObservabilitySettings.from_environment()
_parts = OncePerEnvironment(
    lambda: compose(OAuthFunctionSettings.from_environment(environment_with_stored())),
    prepare=assembly.prepare,
)


@instrument("oauth", _observability)
@on_event_loop
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Answer one Function URL event (payload format 2.0)."""
    try:
        parts = _parts()
    except ServiceError as error:
        return unanswerable(error, https=_observability.stage is not Stage.LOCAL)
    return parts.server(event, context)
