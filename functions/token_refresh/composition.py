"""Plugs the real adapters of the background refresher together; opens no connection itself."""

from functions.token_refresh.refresh_tick import RefreshTick
from shared.assembly import database_of, limits_of, site_of, vault_of
from shared.observability import request_context
from shared.settings import TokenRefreshFunctionSettings
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.workflows.refresh_grant import GrantRefresher


def compose(settings: TokenRefreshFunctionSettings) -> RefreshTick:
    """Build every adapter from ``settings``."""
    database = database_of(settings)
    oauth = DrupalOAuth(site_of(settings), limits=limits_of(settings))
    return RefreshTick(
        database,
        GrantRefresher(database, vault_of(settings, database), oauth),
        batch_max=settings.refresh_batch_max,
        concurrency_max=settings.refresh_concurrency_max,
        seconds_left=request_context.remaining_seconds,
    )
