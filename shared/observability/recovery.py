"""Every fault that a request meets, and how it ended: so that "automatic recovery" is a number.

A fault is a dependency that failed us. It is recovered when the work went on all the same, and
surfaced when the caller got to know. Work in the background has no caller and is done again: its
faults wait for that, in this environment, and surface if it takes too long. Automatic recovery is
``recovered_share``. Never decides anything: it listens.
"""

import time
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from shared.errors import causes
from shared.errors.base import ServiceError, UnavailableError
from shared.observability import metrics, request_context
from shared.observability.metrics import MetricName
from shared.observability.request_context import Ending, MetFault

HTTP_OUTAGE: Final = 500
FAULTS_MAX: Final = 20
"""Faults remembered of one request; more of them tell nothing new."""
WAITING_MAX: Final = 200
"""Faults of work in the background whose end is awaited; the oldest surfaces for another one."""
WAITING_SECONDS_MAX: Final = 900.0
"""After that nothing has recovered by itself: operators have to know."""
RECOVERED: Final = frozenset({Ending.RETRY, Ending.REFRESH, Ending.FALLBACK, Ending.PROBE})


@dataclass(frozen=True, slots=True)
class _Waiting:
    dependency: str
    since: float


_waiting: deque[_Waiting] = deque()


def recovered_share(ended: Mapping[Ending, float]) -> float | None:
    """Automatic recovery, from 0 to 1: faults recovered among all that ended; None of none."""
    recovered_ones = sum(ended.get(ending, 0.0) for ending in RECOVERED)
    total = recovered_ones + ended.get(Ending.SURFACED, 0.0)
    return recovered_ones / total if total else None


def met(dependency: str, error: ServiceError) -> None:
    """A dependency failed; told where its driver's error becomes ours."""
    context = request_context.current()
    if context is None or len(context.faults) >= FAULTS_MAX:
        return
    if not context.faults:
        request_context.note(first_fault=f"{dependency}:{error.code.value}")
    context.faults.append(MetFault(dependency=dependency, code=error.code.value))


def recovered(dependency: str, ending: Ending) -> None:
    """The work went on: every fault of ``dependency`` whose end was open ends so.

    Also those of background work before, which is done again.
    """
    context = request_context.current()
    for fault in context.faults if context is not None else []:
        if fault.dependency == dependency and fault.ending is None:
            fault.ending = ending
    still = [one for one in _waiting if one.dependency != dependency]
    for _ in range(len(_waiting) - len(still)):
        _count(dependency, ending)
    _waiting.clear()
    _waiting.extend(still)


@contextmanager
def probing(dependency: str) -> Iterator[None]:
    """Around the one call that tries ``dependency`` for everybody: its success is a probe's."""
    context = request_context.current()
    probes = [] if context is None else context.probing
    probes.append(dependency)
    try:
        yield
    finally:
        probes.remove(dependency)


@contextmanager
def watched(dependency: str) -> Iterator[None]:
    """Around one exchange with a dependency: an outage is a fault, a success ends earlier ones."""
    try:
        yield
    except UnavailableError as error:
        met(dependency, error)
        raise
    context = request_context.current()
    tried = context is not None and dependency in context.probing
    recovered(dependency, Ending.PROBE if tried else Ending.RETRY)


def surfaced() -> None:
    """The caller is told of an outage: what is open has not been recovered."""
    _end_open(Ending.SURFACED)


def first_cause(error: ServiceError) -> str:
    """The code of what went wrong first: a fault that was not recovered, else what led to it."""
    context = request_context.current()
    if error.entry.http_status >= HTTP_OUTAGE and context is not None:
        for fault in context.faults:
            if fault.ending in {None, Ending.SURFACED}:
                return fault.code
    return causes.first_cause(error)


def settle(*, background: bool = False) -> None:
    """The request is over: whatever is still open was done without, or will be done again."""
    context = request_context.current()
    now = time.monotonic()
    for fault in context.faults if context is not None else []:
        if fault.ending is None and background:
            _waiting.append(_Waiting(fault.dependency, now))
        else:
            _count(fault.dependency, fault.ending or Ending.FALLBACK)
    if context is not None:
        context.faults.clear()
    while _waiting and (
        len(_waiting) > WAITING_MAX or now - _waiting[0].since > WAITING_SECONDS_MAX
    ):
        _count(_waiting.popleft().dependency, Ending.SURFACED)


def _count(dependency: str, ending: Ending) -> None:
    metrics.count(MetricName.FAULTS, dependency=dependency, outcome=ending.value)


def _end_open(ending: Ending) -> None:
    context = request_context.current()
    for fault in context.faults if context is not None else []:
        fault.ending = fault.ending or ending
