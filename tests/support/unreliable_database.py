"""A database that fails on demand: before a transaction, or after its commit without telling."""

import contextlib
from collections.abc import AsyncIterator

from shared.state.database import (
    CommitUnknownError,
    Database,
    DatabaseUnavailableError,
    Transaction,
)


class UnreliableDatabase(Database):
    """Really commits or really does not; then says what it was told to say."""

    def __init__(self, conninfo: str) -> None:
        super().__init__(conninfo)
        self.healthy_transactions = 0
        self.lost_commits = 0
        self.refusals = 0

    def transaction(
        self, *, timeout_seconds: float | None = None
    ) -> contextlib.AbstractAsyncContextManager[Transaction]:
        """As the real one, in the order: healthy, commit not acknowledged, refused."""
        return self._unreliable(super().transaction(timeout_seconds=timeout_seconds))

    @contextlib.asynccontextmanager
    async def _unreliable(
        self, real: contextlib.AbstractAsyncContextManager[Transaction]
    ) -> AsyncIterator[Transaction]:
        if self.healthy_transactions > 0:
            self.healthy_transactions -= 1
            async with real as tx:
                yield tx
            return
        if self.lost_commits > 0:
            self.lost_commits -= 1
            async with real as tx:
                yield tx
            raise CommitUnknownError
        if self.refusals > 0:
            self.refusals -= 1
            raise DatabaseUnavailableError
        async with real as tx:
            yield tx
