"""Guards in the shape that each adapter takes them: which circuits a call belongs to.

A search is a call to the site and to the search engine behind it. What the site itself does wrong
is told from its errors; a long wait is the engine's, because the site's other methods would show
theirs.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Protocol

from shared.circuit.guard import CircuitGuard
from shared.domain.circuits import Dependency


class OperationWatch(Protocol):
    """Watches one named operation of an adapter."""

    def __call__(
        self, operation: str, *, timeout_seconds: float
    ) -> AbstractAsyncContextManager[None]:
        """Watch a call of ``operation`` that was given ``timeout_seconds``."""
        ...


def rpc_watch(guard: CircuitGuard, *, search_method: str) -> OperationWatch:
    """For the site's JSON-RPC; ``search_method`` is behind two circuits."""

    @asynccontextmanager
    async def watch(operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        site, engine = Dependency.DRUPAL_RPC, Dependency.DRUPAL_SEARCH
        if operation != search_method:
            async with guard.watch(site, timeout_seconds=timeout_seconds):
                yield
            return
        async with (
            guard.watch(site, timeout_seconds=timeout_seconds, slow_counts=False),
            guard.watch(engine, timeout_seconds=timeout_seconds),
        ):
            yield

    return watch


def oauth_watch(guard: CircuitGuard) -> OperationWatch:
    """For the site's OAuth server: called without a query that would bring the fleet's word."""

    @asynccontextmanager
    async def watch(operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:  # noqa: ARG001 - all of them share one circuit
        await guard.hear_fleet()
        async with guard.watch(Dependency.DRUPAL_OAUTH, timeout_seconds=timeout_seconds):
            yield

    return watch


def key_service_watch(guard: CircuitGuard) -> Callable[[], AbstractAsyncContextManager[None]]:
    """For KMS, whose timeouts the SDK keeps to itself."""
    return lambda: guard.watch(Dependency.KMS)
