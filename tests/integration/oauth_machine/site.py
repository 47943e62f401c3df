"""Drupal as the machine needs it: it also refreshes pairs, or says why it does not."""

import secrets

from shared.domain.grants import UpstreamPair
from shared.domain.identifiers import UpstreamSubject
from shared.errors.base import ServiceError
from tests.integration.oauth.upstream_stub import UpstreamStub


class Site(UpstreamStub):
    """The one part that is played."""

    def __init__(self) -> None:
        super().__init__()
        self.refresh_failure: ServiceError | None = None

    async def refresh(self, refresh_token: str, *, timeout_seconds: float) -> UpstreamPair:
        """A new pair, or the failure that is set; whose it is is not said, as in some dialects."""
        assert refresh_token
        assert timeout_seconds > 0
        if self.refresh_failure is not None:
            raise self.refresh_failure
        return UpstreamPair(
            access_token=secrets.token_hex(16),
            refresh_token=secrets.token_hex(16),
            life_seconds=self.life_seconds,
            subject=UpstreamSubject(""),
        )
