"""Composition root of the background refresher: settings, adapters, handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from functions.token_refresh.composition import compose
from shared import assembly
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import ObservabilitySettings, TokenRefreshFunctionSettings
from shared.stored_settings import environment_with_stored

_parts = OncePerEnvironment(
    lambda: compose(TokenRefreshFunctionSettings.from_environment(environment_with_stored())),
    prepare=assembly.prepare,
)


@instrument("token_refresh", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Answer one tick of the schedule with how many grants ended in which outcome."""
    EventBridgeModel.model_validate(event)
    return event_loop.run(_parts().tick.run())
