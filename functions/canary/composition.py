"""Plugs the canary together: the network as its doors, a secret as its memory."""

import time
from dataclasses import dataclass

from functions.canary.round import CanaryRound
from functions.canary.session_keeper import SessionKeeper
from shared.checks.canary_session import SecretsManagerSession
from shared.checks.https_doors import HttpsDoors
from shared.settings import CanaryFunctionSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a tick works with, and what must be forgotten after a restore."""

    round: CanaryRound
    store: SecretsManagerSession | None

    def forget(self) -> None:
        """Drop connections and credentials."""
        if self.store is not None:
            self.store.forget_client()


def compose(settings: CanaryFunctionSettings) -> Parts:
    """Build it from ``settings``; opens no connection."""
    doors = HttpsDoors(issuer_url=settings.issuer_url, mcp_url=settings.mcp_url)
    secret = settings.canary_secret_id
    store = None if secret is None else SecretsManagerSession(secret)
    keeper = None
    if store is not None:
        keeper = SessionKeeper(store=store, doors=doors, mcp_url=settings.mcp_url, now=time.time)
    return Parts(
        round=CanaryRound(
            doors=doors, issuer_url=settings.issuer_url, mcp_url=settings.mcp_url, keeper=keeper
        ),
        store=store,
    )
