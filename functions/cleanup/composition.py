"""Plugs the real adapters of the cleanup together; opens no connection itself."""

from functions.cleanup.housekeeping import Housekeeping
from shared.assembly import database_of, limits_of, site_of, vault_of
from shared.observability import request_context
from shared.settings import CleanupFunctionSettings
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.workflows.drain_outbox import OutboxDrainer


def compose(settings: CleanupFunctionSettings) -> Housekeeping:
    """Build every adapter from ``settings``."""
    database = database_of(settings)
    oauth = DrupalOAuth(site_of(settings), limits=limits_of(settings))
    return Housekeeping(
        database,
        OutboxDrainer(database, vault_of(settings, database), oauth),
        batch_max=settings.cleanup_batch_max,
        seconds_left=request_context.remaining_seconds,
    )
