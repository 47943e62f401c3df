"""Composition root of the background refresher: settings, adapters, handler.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

import functools
from typing import Any

import snapshot_restore_py  # type: ignore[import-untyped]  # ships no types
from aws_lambda_powertools.utilities.parser.models import EventBridgeModel

from functions.token_refresh.composition import Parts, compose
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.settings import ObservabilitySettings, TokenRefreshFunctionSettings
from shared.stored_settings import environment_with_stored


@functools.cache
def _parts() -> Parts:
    return compose(TokenRefreshFunctionSettings.from_environment(environment_with_stored()))


def _forget() -> None:
    """After a restore: what was opened before belongs to another environment."""
    if _parts.cache_info().currsize:
        _parts().forget()
    _parts.cache_clear()


snapshot_restore_py.register_after_restore(_forget)


@instrument("token_refresh", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, int]:
    """Answer one tick of the schedule with how many grants ended in which outcome."""
    EventBridgeModel.model_validate(event)
    return event_loop.run(_parts().tick.run())
