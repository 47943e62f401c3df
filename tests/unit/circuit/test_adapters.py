"""The adapters under their watches: what is refused was not sent, and speaks each room's words."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from shared.circuit.guard import CircuitGuard
from shared.circuit.refusals import CircuitOpenError
from shared.circuit.rules import RULES
from shared.circuit.watches import key_service_watch, oauth_watch, rpc_watch
from shared.domain.circuits import CircuitState, Dependency
from shared.errors.base import ServiceError, UnavailableError
from shared.state.database import Database, DatabaseUnavailableError
from shared.upstream import failures
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_rpc import DrupalRpc
from shared.upstream.drupal_site import DrupalSite
from shared.vault.kms_data_keys import KeyServiceUnavailableError, KmsDataKeys

SEARCH = "site.search"
NOWHERE = DrupalSite(base_url="http://127.0.0.1:1", client_id="c")


@pytest.fixture
def guard() -> CircuitGuard:
    return CircuitGuard()


def refused(error: ServiceError) -> bool:
    return isinstance(error.__cause__, CircuitOpenError)


async def test_a_site_that_is_gone_is_not_asked_any_more(guard: CircuitGuard) -> None:
    rpc = DrupalRpc(NOWHERE, watch=rpc_watch(guard, search_method=SEARCH))
    for asked in range(RULES[Dependency.DRUPAL_RPC].calls_min + 1):
        with pytest.raises(failures.UpstreamUnavailableError) as caught:
            await rpc.call("read", {}, access_token="t", timeout_seconds=5)
        assert refused(caught.value) == (asked == RULES[Dependency.DRUPAL_RPC].calls_min)
    assert not caught.value.sent
    assert caught.value.retry_after_seconds
    with pytest.raises(failures.UpstreamUnavailableError):
        await rpc.get("/list", access_token="t", timeout_seconds=5)
    assert guard.standing(Dependency.DRUPAL_OAUTH).state is CircuitState.CLOSED


async def test_sign_ins_and_refreshes_have_a_circuit_of_their_own(guard: CircuitGuard) -> None:
    oauth = DrupalOAuth(NOWHERE, watch=oauth_watch(guard))
    for _ in range(RULES[Dependency.DRUPAL_OAUTH].calls_min):
        with pytest.raises(failures.UpstreamUnavailableError):
            await oauth.refresh("r", timeout_seconds=5)
    with pytest.raises(failures.UpstreamUnavailableError) as caught:
        await oauth.redeem_code("c", code_verifier="v" * 43, timeout_seconds=5)
    assert refused(caught.value)
    assert not caught.value.sent  # nothing is in doubt, so nobody has to sign in again
    assert guard.standing(Dependency.DRUPAL_RPC).state is CircuitState.CLOSED


@pytest.mark.parametrize(
    ("error", "site", "engine"),
    [
        (failures.SearchUnavailableError(), CircuitState.CLOSED, CircuitState.OPEN),
        (failures.UpstreamTimeoutError(), CircuitState.CLOSED, CircuitState.OPEN),
        (failures.UpstreamUnavailableError(), CircuitState.OPEN, CircuitState.CLOSED),
        (failures.UpstreamMaintenanceError(), CircuitState.OPEN, CircuitState.CLOSED),
        (failures.ArgumentsRejectedError(), CircuitState.CLOSED, CircuitState.CLOSED),
    ],
)
async def test_search_is_told_apart_from_the_site_by_its_errors(
    guard: CircuitGuard, error: ServiceError, site: CircuitState, engine: CircuitState
) -> None:
    watch = rpc_watch(guard, search_method=SEARCH)
    for _ in range(5):
        with pytest.raises(type(error)):
            async with watch(SEARCH, timeout_seconds=8):
                raise error
    assert guard.standing(Dependency.DRUPAL_RPC).state is site
    assert guard.standing(Dependency.DRUPAL_SEARCH).state is engine


async def test_reading_goes_on_while_search_is_left_alone(guard: CircuitGuard) -> None:
    watch = rpc_watch(guard, search_method=SEARCH)
    for _ in range(5):
        with pytest.raises(failures.SearchUnavailableError):
            async with watch(SEARCH, timeout_seconds=8):
                raise failures.SearchUnavailableError
    with pytest.raises(CircuitOpenError):
        async with watch(SEARCH, timeout_seconds=8):
            pass
    async with watch("read", timeout_seconds=8):
        pass


async def test_connects_to_a_database_that_is_away_are_not_tried_any_more(
    guard: CircuitGuard,
) -> None:
    database = Database(
        "host=127.0.0.1 port=1 dbname=nowhere",
        watch_connect=lambda seconds: guard.watch(Dependency.POSTGRES, timeout_seconds=seconds),
    )
    for asked in range(RULES[Dependency.POSTGRES].calls_min + 1):
        with pytest.raises(DatabaseUnavailableError) as caught:
            async with database.autocommit():
                pass
        assert refused(caught.value) == (asked == RULES[Dependency.POSTGRES].calls_min)


async def test_a_key_service_that_is_away_is_not_asked_any_more(guard: CircuitGuard) -> None:
    asked = 0

    @asynccontextmanager
    async def watch() -> AsyncIterator[None]:
        nonlocal asked
        async with key_service_watch(guard)():
            asked += 1
            if asked:
                raise KeyServiceUnavailableError
            yield

    keys = KmsDataKeys("key", connect_timeout_seconds=1, read_timeout_seconds=1, watch=watch)
    for _ in range(10):
        with pytest.raises(KeyServiceUnavailableError) as caught:
            await keys.generate({})
    assert asked == RULES[Dependency.KMS].calls_min
    assert refused(caught.value)


async def test_any_other_unavailability_of_a_watch_is_translated_too() -> None:
    @asynccontextmanager
    async def closed(operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        if operation:
            raise UnavailableError({"operation": operation, "seconds": timeout_seconds})
        yield

    rpc = DrupalRpc(NOWHERE, watch=closed)
    with pytest.raises(failures.UpstreamUnavailableError):
        await rpc.call("read", {}, access_token="t", timeout_seconds=5)
