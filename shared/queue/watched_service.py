"""An AWS service whose failures count as faults of the request that meets them."""

from collections.abc import Callable
from typing import Any, TypeVar

from shared.aws_service import AwsService, CallLimits, ServiceName
from shared.errors.base import UnavailableError
from shared.observability import recovery

_T = TypeVar("_T")


class WatchedService(AwsService):
    """As its base; listens to how each call ends."""

    def __init__(
        self, service: ServiceName, *, limits: CallLimits, error: type[UnavailableError]
    ) -> None:
        super().__init__(service, limits=limits, error=error)
        self._name = service

    async def call(self, request: Callable[[Any], _T], *, expected: tuple[str, ...] = ()) -> _T:
        """Run ``request`` with the client; raises as the base does."""
        with recovery.watched(self._name):
            return await super().call(request, expected=expected)
