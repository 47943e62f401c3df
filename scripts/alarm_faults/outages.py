"""Faults of what we depend on: site, search and OAuth server, Postgres, the key service."""

import asyncio
import contextlib
import os
import signal
from dataclasses import replace
from typing import Final

from scripts.alarm_faults.case import Case
from scripts.alarm_faults.town import AT_A_TIME, SEARCH, Town, at_once, repeat
from scripts.local_stack.queues import sdk_client
from shared.state.roles import AppRole

_MANY: Final = 100_000
"""As often as anybody asks."""
LOST_EVERY: Final = 3
GOOD_ANSWERS: Final = 420


async def _a_few(town: Town) -> None:
    await town.people(AT_A_TIME)


async def _search_for_ever(town: Town) -> None:
    people = await town.people(AT_A_TIME)
    await repeat(lambda: at_once(town.call(one, SEARCH) for one in people), pause_seconds=0.3)


async def _read_for_ever(town: Town) -> None:
    people = await town.people(AT_A_TIME)
    await repeat(lambda: at_once(town.call(one, town.read()) for one in people), pause_seconds=0.3)


async def _refresh_for_ever(town: Town) -> None:
    people = await town.people(AT_A_TIME)

    async def once() -> None:
        town.expire_pairs()
        await at_once(town.call(one, SEARCH) for one in people)

    await repeat(once, pause_seconds=0.2)


async def site_hangs(town: Town) -> None:
    """Drupal takes requests and answers none."""
    town.site.control.fail("hang", route="jsonrpc", times=_MANY)
    await _read_for_ever(town)


async def search_is_away(town: Town) -> None:
    """Drupal's search server is gone."""
    town.site.control.search_is_down()
    await _search_for_ever(town)


async def oauth_is_away(town: Town) -> None:
    """Drupal's token endpoint fails, and every pair is due."""
    town.site.control.fail("error_html", route="token", times=_MANY)
    await _refresh_for_ever(town)


async def replies_are_lost(town: Town) -> None:
    """Of every third refresh the answer is lost: too few for the circuit, too many for people."""
    people = await town.people(24)
    town.expire_pairs()
    for number, one in enumerate(people):
        if number % LOST_EVERY == 0:
            town.site.control.fail("close_after", route="token", times=1)
        await town.call(one, SEARCH)
    town.callers.clear()


async def client_is_refused(town: Town) -> None:
    """Somebody has changed our secret at the site."""
    ours = town.site.client
    callback = f"{town.issuer}/oauth/callback"
    town.site.control.put_client(replace(ours, secret="another", redirect_uris=(callback,)))  # noqa: S106 - made up
    try:
        await _refresh_for_ever(town)
    finally:
        town.site.control.put_client(replace(ours, redirect_uris=(callback,)))


async def postgres_refuses(town: Town) -> None:
    """The functions' roles may not log in any more, after a day of good answers."""
    people = await town.people(AT_A_TIME)
    health = f"{town.stack.addresses.mcp_origin}/health/live"
    await at_once(town.ask("GET", health) for _ in range(GOOD_ANSWERS))
    town.alter(*(f"ALTER ROLE {role.value} NOLOGIN" for role in AppRole))
    _end_connections(town)
    rounds = asyncio.ensure_future(repeat(lambda: town.tick("canary")))
    try:
        while True:
            await at_once(town.call(one, SEARCH) for one in people * 5)
            await asyncio.sleep(0.2)
    finally:
        rounds.cancel()
        town.alter(*(f"ALTER ROLE {role.value} LOGIN" for role in AppRole))


async def connections_are_cut(town: Town) -> None:
    """Postgres drops its connections again and again, then takes no new ones."""
    (one,) = await town.people(1)
    for _ in range(55):
        _end_connections(town)
        await town.call(one, SEARCH)
    try:
        town.alter(*(f"ALTER ROLE {role.value} NOLOGIN" for role in AppRole))
        _end_connections(town)
        await repeat(lambda: town.call(one, SEARCH), pause_seconds=0.2)
    finally:
        town.alter(*(f"ALTER ROLE {role.value} LOGIN" for role in AppRole))


def _end_connections(town: Town) -> None:
    town.alter("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE 'app_%'")


async def key_service_hangs(town: Town) -> None:
    """The key service takes connections and answers none; every environment is a new one."""
    people = await town.people(AT_A_TIME)
    pid = town.stack.description()["pids"]["aws"]
    town.kill("mcp_endpoint")
    os.kill(pid, signal.SIGSTOP)
    try:
        await repeat(lambda: at_once(town.call(one, SEARCH) for one in people), pause_seconds=0.2)
    finally:
        os.kill(pid, signal.SIGCONT)


async def key_is_disabled(town: Town) -> None:
    """Somebody has disabled the key."""
    people = await town.people(1)
    key_id = town.stack.folder.read(town.stack.folder.kms_key.name)["key_id"]
    kms = sdk_client("kms", town.stack.addresses.aws_url)
    await asyncio.to_thread(lambda: kms.disable_key(KeyId=key_id))
    town.kill("mcp_endpoint")
    try:
        await repeat(lambda: town.call(people[0], SEARCH), pause_seconds=0.5)
    finally:
        with contextlib.suppress(Exception):
            kms.enable_key(KeyId=key_id)


CASES: Final = (
    Case(
        fault="Drupal takes requests and hangs",
        alarms=("DrupalRpcCircuitOpen", "RecoveryLow", "DrupalNotServing"),
        prepare=_a_few,
        plant=site_hangs,
    ),
    Case(
        fault="Drupal's search server is gone",
        alarms=("DrupalSearchCircuitOpen",),
        prepare=_a_few,
        plant=search_is_away,
    ),
    Case(
        fault="Drupal's token endpoint answers 500, every pair is due",
        alarms=("DrupalOAuthCircuitOpen",),
        prepare=_a_few,
        plant=oauth_is_away,
    ),
    Case(
        fault="Drupal rotates pairs, and every third answer is lost",
        alarms=("RefreshSuccessLow",),
        prepare=lambda town: town.people(24),
        plant=replies_are_lost,
        factor=60.0,
    ),
    Case(
        fault="our secret was changed at the site",
        alarms=("UpstreamClientRefused",),
        prepare=_a_few,
        plant=client_is_refused,
    ),
    Case(
        fault="Postgres lets nobody log in, after 420 good answers",
        alarms=(
            "CanaryFails",
            "AvailabilityLow",
            "AvailabilityBurnsFast",
            "AvailabilityBurnsSlowly",
            "PostgresCircuitOpen",
            "PeopleNotServed",
        ),
        prepare=_a_few,
        plant=postgres_refuses,
        factor=20.0,
    ),
    Case(
        fault="Postgres cuts 55 connections, then takes none",
        alarms=("DatabaseConnectionsFail",),
        prepare=_a_few,
        plant=connections_are_cut,
        factor=10.0,
    ),
    Case(
        fault="the key service takes connections and hangs",
        alarms=("KmsCircuitOpen",),
        prepare=_a_few,
        plant=key_service_hangs,
        factor=20.0,
    ),
    Case(
        fault="the key was disabled in KMS",
        alarms=("TokenKeyUnusable",),
        prepare=_a_few,
        plant=key_is_disabled,
        factor=60.0,
    ),
)
