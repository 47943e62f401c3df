"""What a guard raises instead of a call, one class for each text that callers get to read.

Adapters turn it into their own word for an outage; the cause of that stays this.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import ClassVar, Final

from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import UnavailableError
from shared.errors.catalogue import ErrorCode


class CircuitOpenError(UnavailableError):
    """The dependency is not asked at the moment; nothing has been sent to it."""

    code: ClassVar[ErrorCode] = ErrorCode.UPSTREAM_UNAVAILABLE

    def __init__(
        self, dependency: Dependency, state: CircuitState, *, retry_after_seconds: int
    ) -> None:
        super().__init__(
            {"circuit": dependency.value, "circuit_state": state.value},
            retry_after_seconds=retry_after_seconds,
        )
        self.dependency = dependency


class SearchCircuitOpenError(CircuitOpenError):
    """The search engine is not asked at the moment."""

    code: ClassVar[ErrorCode] = ErrorCode.SEARCH_UNAVAILABLE


class DatabaseCircuitOpenError(CircuitOpenError):
    """No connection to Postgres is tried at the moment."""

    code: ClassVar[ErrorCode] = ErrorCode.DATABASE_UNAVAILABLE


class KeyServiceCircuitOpenError(CircuitOpenError):
    """KMS is not asked at the moment."""

    code: ClassVar[ErrorCode] = ErrorCode.KEY_SERVICE_UNAVAILABLE


REFUSALS: Final[Mapping[Dependency, type[CircuitOpenError]]] = MappingProxyType(
    {
        Dependency.DRUPAL_RPC: CircuitOpenError,
        Dependency.DRUPAL_OAUTH: CircuitOpenError,
        Dependency.DRUPAL_SEARCH: SearchCircuitOpenError,
        Dependency.POSTGRES: DatabaseCircuitOpenError,
        Dependency.KMS: KeyServiceCircuitOpenError,
    }
)
