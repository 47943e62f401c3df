"""Composition root of the canary: settings, adapters, handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from functions.canary.composition import compose
from shared import aws_service, stored_settings
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import CanaryFunctionSettings, ObservabilitySettings
from shared.stored_settings import environment_with_stored


def _prepare() -> None:
    stored_settings.prepare()
    aws_service.prepare("secretsmanager")


_parts = OncePerEnvironment(
    lambda: compose(CanaryFunctionSettings.from_environment(environment_with_stored())),
    prepare=_prepare,
)


@instrument("canary", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, str]:
    """Answer one tick of the schedule with each check's outcome."""
    EventBridgeModel.model_validate(event)
    return event_loop.run(_parts().round.run())
