"""What an environment does when it needs too much memory: forget, and if that is not enough, end.

Looked at after each answer, never during one. Never raises, and never drops what cannot be had
again: opened keys serve through outages of KMS.
"""

import gc
import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

from shared.observability import metrics
from shared.observability.logging import log
from shared.observability.metrics import MetricName

BYTES_PER_MB: Final = 1_048_576
DROPS_MAX: Final = 20
_STATM: Final = Path("/proc/self/statm")


class _Environment:
    memory_mb: int | None = None
    limit_bytes: int | None = None
    drops: tuple[Callable[[], None], ...] = ()
    retires = False


def configure(*, memory_mb: int | None, share_max: float) -> None:
    """Watch this process: it may hold ``share_max`` of ``memory_mb``; None turns it off."""
    _Environment.memory_mb = memory_mb
    _Environment.limit_bytes = (
        None if memory_mb is None else int(memory_mb * BYTES_PER_MB * share_max)
    )
    _Environment.retires = False


def on_pressure(drop: Callable[[], None]) -> None:
    """Register what empties a cache; parts that are built anew replace nothing, so few may be."""
    _Environment.drops = (*_Environment.drops, drop)[-DROPS_MAX:]


def retires() -> bool:
    """Whether this environment has to end before it takes another invocation."""
    return _Environment.retires


def resident_bytes() -> int:
    """The memory that this process holds at the moment; 0 where nobody says."""
    try:
        pages = int(_STATM.read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def count_use(milliseconds: float) -> None:
    """Count what an invocation of so many milliseconds has used of what is paid for."""
    metrics.gauge(MetricName.MEMORY_USED, resident_bytes() / BYTES_PER_MB)
    if _Environment.memory_mb is not None:
        gigabytes = _Environment.memory_mb / 1024
        metrics.count(MetricName.GIGABYTE_SECONDS, milliseconds / 1000 * gigabytes)


def relieve() -> None:
    """Forget what can be had again if too much is held; retire if that was not enough."""
    limit = _Environment.limit_bytes
    before = resident_bytes() if limit is not None else 0
    if limit is None:
        return
    metrics.gauge(MetricName.MEMORY_HELD, before / BYTES_PER_MB)
    if before <= limit:
        return
    for drop in _Environment.drops:
        drop()
    gc.collect()
    after = resident_bytes()
    _Environment.retires = after > limit
    outcome = "retired" if _Environment.retires else "relieved"
    metrics.count(MetricName.MEMORY_PRESSURE, outcome=outcome)
    log.warning(
        "too much memory is held",
        outcome=outcome,
        limit_mb=limit // BYTES_PER_MB,
        before_mb=before // BYTES_PER_MB,
        after_mb=after // BYTES_PER_MB,
    )
