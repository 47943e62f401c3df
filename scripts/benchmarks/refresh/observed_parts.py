"""The parts that a refresh is made of, as they ship, each telling what it has just done.

Nothing is replaced: every call goes on to the real part.
"""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol

from scripts.benchmarks.refresh.steps import Step
from shared.domain.grants import SealedPair, UpstreamPair
from shared.state.database import Database, Transaction
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.vault.token_vault import TokenVault


class Observer(Protocol):
    """Is told what happens in a refresh."""

    def passed(self, step: Step) -> None:
        """A step was done."""

    def committing(self) -> None:
        """A transaction is about to be committed."""

    def committed(self) -> None:
        """It was committed."""


class ObservedDatabase(Database):
    """Tells of commits."""

    def __init__(self, conninfo: str, observer: Observer) -> None:
        super().__init__(conninfo)
        self._observer = observer

    def transaction(
        self, *, timeout_seconds: float | None = None
    ) -> AbstractAsyncContextManager[Transaction]:
        """As it is."""
        return self._observed(super().transaction(timeout_seconds=timeout_seconds))

    @asynccontextmanager
    async def _observed(
        self, whole: AbstractAsyncContextManager[Transaction]
    ) -> AsyncIterator[Transaction]:
        async with whole as tx:
            yield tx
            self._observer.committing()
        self._observer.committed()


class ObservedOAuth(DrupalOAuth):
    """Tells when the site has answered a refresh."""

    def __init__(self, site: DrupalSite, observer: Observer) -> None:
        super().__init__(site)
        self._observer = observer

    async def refresh(self, refresh_token: str, *, timeout_seconds: float) -> UpstreamPair:
        """As it is."""
        pair = await super().refresh(refresh_token, timeout_seconds=timeout_seconds)
        self._observer.passed(Step.REPLY_READ)
        return pair


class ObservedVault(TokenVault):
    """Tells when a pair has been sealed."""

    def __init__(self, observer: Observer, **parts: Any) -> None:
        super().__init__(**parts)
        self._observer = observer

    async def seal(self, *given: Any, **bound: Any) -> SealedPair:
        """As it is."""
        sealed = await super().seal(*given, **bound)
        self._observer.passed(Step.SEALED)
        return sealed
