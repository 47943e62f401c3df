"""Plugs the real adapters of the background refresher together; opens no connection itself."""

from dataclasses import dataclass

from functions.token_refresh.refresh_tick import RefreshTick
from shared.assembly import OpenedAdapters, limits_of, opened_adapters, site_of
from shared.observability import request_context
from shared.settings import TokenRefreshFunctionSettings
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.workflows.refresh_grant import GrantRefresher


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What a tick works with, and what must be forgotten after a restore."""

    tick: RefreshTick
    opened: OpenedAdapters

    def forget(self) -> None:
        """Drop connections and opened keys."""
        self.opened.forget()


def compose(settings: TokenRefreshFunctionSettings) -> Parts:
    """Build every adapter from ``settings``."""
    opened = opened_adapters(settings)
    oauth = DrupalOAuth(site_of(settings), limits=limits_of(settings))
    tick = RefreshTick(
        opened.database,
        GrantRefresher(opened.database, opened.vault, oauth),
        batch_max=settings.refresh_batch_max,
        concurrency_max=settings.refresh_concurrency_max,
        seconds_left=request_context.remaining_seconds,
    )
    return Parts(tick=tick, opened=opened)
