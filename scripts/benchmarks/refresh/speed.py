"""How long one refresh takes us, how many a worker does in a second, and its statements."""

import asyncio
from dataclasses import dataclass
from typing import Final

import psycopg

from scripts.benchmarks import statements
from scripts.benchmarks.refresh.site_process import SiteOptions
from scripts.benchmarks.refresh.world import ROLE, Town, World, time_from_now
from scripts.benchmarks.samples import Tail, tail
from scripts.benchmarks.statements import Statements

CONCURRENCY_MAX: Final = 10
_LIFE_SECONDS: Final = 3_600
_STATEMENT_CALLS: Final = 10
_WARMING_UP: Final = 10
_ALL_DUE: Final = "UPDATE app.grants SET refresh_at = app.now()"


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Milliseconds of single refreshes, one after the other, and the rate of a tick."""

    total_ms: Tail
    own_ms: Tail
    """Without the site's time, as the site logs it."""
    window_ms: Tail
    """From reading the site's answer to the acknowledged commit of the new pair."""
    per_second: float
    """Refreshes of one worker in a tick of the schedule, the site's processor time included."""
    concurrency: int
    statements: Statements


def measure(world: World, *, refreshes: int) -> Speed:
    """Refresh ``refreshes`` people one after the other, then all of them in one tick."""
    options = SiteOptions(
        time=time_from_now(1.0),
        people=refreshes + _WARMING_UP,
        access_token_seconds=_LIFE_SECONDS,
        refresh_replay_seconds=0,
    )
    with world.town(options) as town:
        for grant_id in town.grant_ids[:_WARMING_UP]:
            town.own.ask("refresh", grant_id)
        totals = [town.own.ask("refresh", one) for one in town.grant_ids[_WARMING_UP:]]
        of_site = town.site.ask("milliseconds")[_WARMING_UP:]
        windows = town.own.ask("windows")[_WARMING_UP:]
        own = [total - site for total, site in zip(totals, of_site, strict=True)]
        return Speed(
            total_ms=tail(totals),
            own_ms=tail(own),
            window_ms=tail(windows),
            per_second=_rate(town),
            concurrency=CONCURRENCY_MAX,
            statements=_statements(world, town),
        )


def _rate(town: Town) -> float:
    with psycopg.connect(town.conninfo, autocommit=True) as connection:
        connection.execute(_ALL_DUE)
    refreshed, seconds = town.own.ask("tick", len(town.grant_ids), CONCURRENCY_MAX)
    return float(refreshed / seconds)


def _statements(world: World, town: Town) -> Statements:
    async def call() -> None:
        town.own.ask("refresh", town.grant_ids[0])

    counted = statements.count(world.postgres, ROLE, call, calls=_STATEMENT_CALLS)
    return asyncio.run(counted)
