"""Every fault that a request meets, and how it ended: so that "automatic recovery" is a number.

A fault is a dependency that failed us. It is recovered when the work went on all the same, and
surfaced when the caller got to know. Never decides anything: it listens.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from shared.errors import causes
from shared.errors.base import ServiceError, UnavailableError
from shared.observability import metrics, request_context
from shared.observability.metrics import MetricName
from shared.observability.request_context import Ending, MetFault

HTTP_OUTAGE: Final = 500
FAULTS_MAX: Final = 20
"""Faults remembered of one request; more of them tell nothing new."""


def met(dependency: str, error: ServiceError) -> None:
    """A dependency failed; told where its driver's error becomes ours."""
    context = request_context.current()
    if context is None or len(context.faults) >= FAULTS_MAX:
        return
    if not context.faults:
        request_context.note(first_fault=f"{dependency}:{error.code.value}")
    context.faults.append(MetFault(dependency=dependency, code=error.code.value))


def recovered(dependency: str, ending: Ending) -> None:
    """The work went on: every fault of ``dependency`` whose end was open ends so."""
    context = request_context.current()
    for fault in context.faults if context is not None else []:
        if fault.dependency == dependency and fault.ending is None:
            fault.ending = ending


@contextmanager
def watched(dependency: str) -> Iterator[None]:
    """Around one exchange with a dependency: an outage is a fault, a success ends earlier ones."""
    try:
        yield
    except UnavailableError as error:
        met(dependency, error)
        raise
    recovered(dependency, Ending.RETRY)


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
    _end_open(Ending.POSTPONED if background else Ending.FALLBACK)
    context = request_context.current()
    for fault in context.faults if context is not None else []:
        ending = fault.ending or Ending.FALLBACK
        metrics.count(MetricName.FAULTS, dependency=fault.dependency, outcome=ending.value)
    if context is not None:
        context.faults.clear()


def _end_open(ending: Ending) -> None:
    context = request_context.current()
    for fault in context.faults if context is not None else []:
        fault.ending = fault.ending or ending
