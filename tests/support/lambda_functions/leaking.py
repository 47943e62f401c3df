"""An instrumented function that keeps more of every request, in a cache or for ever."""

import os
from typing import Any

from shared.observability import memory_pressure
from shared.observability.instrument import instrument
from shared.settings import ObservabilitySettings

KEPT_BYTES = 32 * memory_pressure.BYTES_PER_MB

_cache: list[bytearray] = []
_leak: list[bytearray] = []

memory_pressure.on_pressure(_cache.clear)


@instrument("leaking", ObservabilitySettings.from_environment())
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Keep some memory where the path says, and answer with who we are."""
    kept = _leak if event["rawPath"] == "/leak" else _cache
    # Written to, or the system would not hand the pages out.
    kept.append(bytearray(b"x" * KEPT_BYTES))
    return {"statusCode": 200, "body": f"{os.getpid()} {len(_cache)}"}
