"""Plugs the real adapters of the background refresher together; opens no connection itself."""

from dataclasses import dataclass

from functions.token_refresh.queue_batch import RefreshBatch
from functions.token_refresh.refresh_tick import RefreshTick
from functions.token_refresh.stagger import Stagger
from shared.assembly import (
    OpenedAdapters,
    OpenedNets,
    oauth_of,
    opened_adapters,
    opened_nets,
)
from shared.observability import request_context
from shared.queue.refresh_queue import SqsRefreshQueue
from shared.settings import TokenRefreshFunctionSettings
from shared.state.refresh_allowances import Pace
from shared.workflows.refresh_grant import GrantRefresher


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """What works on each event, and what must be forgotten after a restore."""

    tick: RefreshTick
    stagger: Stagger
    batch: RefreshBatch
    opened: OpenedAdapters
    nets: OpenedNets
    queue: SqsRefreshQueue | None

    def forget(self) -> None:
        """Drop connections and opened keys."""
        self.opened.forget()
        self.nets.forget()
        if self.queue is not None:
            self.queue.forget_client()


def compose(settings: TokenRefreshFunctionSettings) -> Parts:
    """Build every adapter from ``settings``."""
    opened = opened_adapters(settings)
    nets = opened_nets(settings)
    url = settings.refresh_queue_url
    queue = None if url is None else SqsRefreshQueue(url)
    refresher = GrantRefresher(
        opened.database,
        opened.vault,
        oauth_of(settings, opened.circuits),
        nets=nets.safety_nets,
        circuits=opened.circuits,
    )
    tick = RefreshTick(
        opened.database,
        refresher,
        batch_max=settings.refresh_batch_max,
        concurrency_max=settings.refresh_concurrency_max,
        seconds_left=request_context.remaining_seconds,
        queue=queue,
        inline_max=settings.refresh_inline_max,
        pace=Pace(
            site=settings.drupal_base_url,
            per_second=settings.refresh_per_second_max,
            seen_within_seconds=settings.refresh_seen_days_max * 86_400.0,
            refresh_token_seconds=settings.drupal_refresh_token_days * 86_400.0,
        ),
    )
    batch = RefreshBatch(
        opened.database,
        refresher,
        concurrency_max=settings.refresh_concurrency_max,
        seconds_left=request_context.remaining_seconds,
        circuits=opened.circuits,
    )
    return Parts(
        tick=tick,
        stagger=Stagger(opened.circuits),
        batch=batch,
        opened=opened,
        nets=nets,
        queue=queue,
    )
