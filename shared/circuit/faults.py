"""Whose fault a failed call is: the dependency's, or nothing that a circuit should hear of.

A refusal is an answer. A site that says 401, "no such tutorial" or "these arguments are wrong" is
well, and so is a key service that refuses a key: no waiting repairs that.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from shared.circuit.refusals import CircuitOpenError
from shared.domain.circuits import Dependency
from shared.errors.base import ServiceError
from shared.errors.catalogue import ErrorCode

_SITE_FAULTS: Final = frozenset(
    {
        ErrorCode.UPSTREAM_UNAVAILABLE,
        ErrorCode.UPSTREAM_TIMEOUT,
        ErrorCode.UPSTREAM_MAINTENANCE,
        ErrorCode.UPSTREAM_ANSWER_INVALID,
        ErrorCode.UPSTREAM_RATE_LIMITED,
    }
)

FAULTS: Final[Mapping[Dependency, frozenset[ErrorCode]]] = MappingProxyType(
    {
        Dependency.DRUPAL_RPC: _SITE_FAULTS,
        Dependency.DRUPAL_OAUTH: _SITE_FAULTS,
        Dependency.DRUPAL_SEARCH: frozenset(
            {ErrorCode.SEARCH_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT}
        ),
        Dependency.POSTGRES: frozenset({ErrorCode.DATABASE_UNAVAILABLE}),
        Dependency.KMS: frozenset({ErrorCode.KEY_SERVICE_UNAVAILABLE}),
    }
)
"""Codes of the failures that each dependency is to blame for."""

SILENT: Final[Mapping[Dependency, frozenset[ErrorCode]]] = MappingProxyType(
    # The engine was never reached, so nothing is known about it.
    {Dependency.DRUPAL_SEARCH: _SITE_FAULTS - {ErrorCode.UPSTREAM_TIMEOUT}}
)
"""Codes of failures that say nothing about a dependency, although a call to it has failed."""


class Finding(StrEnum):
    """What the end of a call says about its dependency."""

    ANSWERED = "answered"
    FAILED = "failed"
    NOTHING = "nothing"


def finding_of(
    dependency: Dependency, error: BaseException | None, *, had_time: bool = True
) -> Finding:
    """What ``error`` says, or None, the success.

    ``had_time`` is False for a call that was given less time than the dependency may take: its
    timeout is then ours.
    """
    if error is None:
        return Finding.ANSWERED
    if not isinstance(error, ServiceError) or isinstance(error, CircuitOpenError):
        # Cancelled, a fault of our own, or another circuit in the same call.
        return Finding.NOTHING
    if not had_time and _is_timeout(error):
        return Finding.NOTHING
    if error.code in FAULTS[dependency]:
        return Finding.FAILED
    if error.code in SILENT.get(dependency, frozenset()):
        return Finding.NOTHING
    return Finding.ANSWERED


def _is_timeout(error: ServiceError) -> bool:
    return error.code is ErrorCode.UPSTREAM_TIMEOUT or "waited_for" in error.facts
