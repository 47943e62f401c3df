"""Faults that a call meets with real parts: how they end, and which was the first of two."""

import psycopg
import pytest

from shared.errors.base import ServiceError, UnavailableError
from shared.observability import recovery
from shared.observability.request_context import Ending, begin_request
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from shared.workflows.call_upstream import SITE_TOKEN, UpstreamCaller
from shared.workflows.refresh_grant import GrantRefresher
from tests.integration.workflows.test_call_upstream import search
from tests.support.upstream_world import UpstreamWorld

NOWHERE = "host=127.0.0.1 port=1 dbname=none connect_timeout=1"


async def test_a_refused_token_is_recovered_by_a_refresh(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.save_user("maya")
    with begin_request(function="f") as request:
        await search(world, signed_in)
        ends = [(fault.dependency, fault.ending) for fault in request.faults]

    assert ends == [(SITE_TOKEN, Ending.REFRESH)]


async def test_a_connection_that_the_server_closed_is_recovered_by_another(
    world: UpstreamWorld, database_admin: psycopg.Connection[object]
) -> None:
    signed_in = await world.sign_in()
    database_admin.execute(
        "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with begin_request(function="f") as request:
        await search(world, signed_in)
        ends = {(fault.dependency, fault.ending) for fault in request.faults}

    assert ends <= {("postgres", Ending.RETRY)}
    assert ends


async def test_search_and_then_postgres_away_names_search_first(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    world.drupal.control.search_is_down()
    with begin_request(function="f") as request:
        with pytest.raises(ServiceError) as caught:
            await search(world, signed_in)
        recovery.surfaced()
        with pytest.raises(UnavailableError):
            async with Database(NOWHERE).autocommit():
                pass
        told = recovery.first_cause(caught.value)

    assert told == "search_unavailable"
    assert [fault.dependency for fault in request.faults] == ["drupal_rpc", "postgres"]


async def test_postgres_and_drupal_away_names_postgres_first(world: UpstreamWorld) -> None:
    signed_in = await world.sign_in()
    call = await world.call_of(signed_in)
    world.drupal.control.fail("error_html", route="jsonrpc", times=9)
    world.drupal.control.save_user("maya")
    database = Database(NOWHERE)
    worker = world.worker()
    caller = UpstreamCaller(
        database, worker.vault, GrantRefresher(database, worker.vault, worker.oauth)
    )

    async def request_site(access_token: str) -> int:
        with pytest.raises(UnavailableError):
            async with database.autocommit():
                pass
        found = await world.content.read("101", access_token=access_token, timeout_seconds=5)
        return len(found.markdown)

    with begin_request(function="f") as request:
        with pytest.raises(UnavailableError) as caught:
            await caller.run(call, request_site)
        told = recovery.first_cause(caught.value)

    assert told == "database_unavailable"
    assert request.notes["first_fault"] == "postgres:database_unavailable"


async def test_key_service_and_site_oauth_away_names_the_key_service_first(
    world: UpstreamWorld,
) -> None:
    signed_in = await world.sign_in()
    grant = await world.grant(signed_in)
    kms = KmsDataKeys(
        world.kms_key_id,
        connect_timeout_seconds=1,
        read_timeout_seconds=1,
        endpoint_url="http://127.0.0.1:1",
    )
    vault = TokenVault(
        stage="local", kms=kms, keys=StoredDataKeys(world.own.database), cache_seconds=60
    )
    world.drupal.control.fail("error_html", route="token", times=9)
    refresher = GrantRefresher(world.own.database, vault, DrupalOAuth(world.site))
    with begin_request(function="f") as request:
        with pytest.raises(UnavailableError) as caught:
            await refresher.refresh(grant.grant_id, grant.pair_generation)
        told = recovery.first_cause(caught.value)

    assert told == "key_service_unavailable"
    assert request.notes["first_fault"] == "kms:key_service_unavailable"
    assert world.drupal.control.count("grant:refresh_token") == 0
