"""Composition root of the cleanup: settings, adapters, handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from functions.cleanup.composition import compose
from shared import assembly
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import CleanupFunctionSettings, ObservabilitySettings
from shared.stored_settings import environment_with_stored

_parts = OncePerEnvironment(
    lambda: compose(CleanupFunctionSettings.from_environment(environment_with_stored())),
    prepare=assembly.prepare_with_spill,
)


@instrument("cleanup", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Answer one tick of the schedule with how many rows each step concerned."""
    EventBridgeModel.model_validate(event)
    return event_loop.run(_parts().housekeeping.run())
