"""Composition root of the background refresher: settings, adapters, handler for both its events.

Built at the first invocation, so that no snapshot holds a secret, an address or a connection.
"""

from typing import Any

from functions.token_refresh.composition import Parts, compose
from functions.token_refresh.events import queue_records
from shared import assembly
from shared.lambda_stream import event_loop
from shared.observability.instrument import instrument
from shared.once_per_environment import OncePerEnvironment
from shared.settings import ObservabilitySettings, TokenRefreshFunctionSettings
from shared.stored_settings import environment_with_stored

_parts = OncePerEnvironment(
    lambda: compose(TokenRefreshFunctionSettings.from_environment(environment_with_stored())),
    prepare=assembly.prepare_with_nets,
)


@instrument("token_refresh", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Answer a tick of the schedule with counts by outcome, a batch with what has to come back."""
    return event_loop.run(_handle(_parts(), event))


async def _handle(parts: Parts, event: dict[str, Any]) -> dict[str, Any]:
    records = queue_records(event)
    try:
        if records is None:
            return dict(await parts.tick.run(share=await parts.stagger.share()))
        return dict(await parts.batch.run(records))
    finally:
        await parts.opened.circuits.settle()
