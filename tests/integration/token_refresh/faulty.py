"""A refresher with a fault that only one grant meets."""

from shared.domain.identifiers import GrantId
from shared.domain.refresh_times import REFRESH_DEADLINE_SECONDS
from shared.workflows.refresh_grant import GrantRefresher, RefreshOutcome


class FaultyRefresher(GrantRefresher):
    """The real one, with a fault that only one grant meets."""

    faulty: GrantId

    async def refresh(
        self,
        grant_id: GrantId,
        pair_generation: int,
        *,
        timeout_seconds: float = REFRESH_DEADLINE_SECONDS,
    ) -> RefreshOutcome:
        """As the real one, or a crash."""
        if grant_id == self.faulty:
            raise ValueError("a fault")
        return await super().refresh(grant_id, pair_generation, timeout_seconds=timeout_seconds)
