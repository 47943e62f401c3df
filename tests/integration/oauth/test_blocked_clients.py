"""A client that an operator has blocked: nothing begins, goes on or comes back with it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, Final

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from shared.domain.containments import OneClient, Order
from shared.domain.identifiers import ClientId, new_id
from shared.domain.tokens import PlainToken, hash_token
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.state import calls, containments
from shared.state.database import Database
from shared.state.roles import AppRole
from shared.workflows import contain
from tests.integration.oauth.driver import Driver, onward
from tests.integration.oauth.upstream_stub import UpstreamStub

ORDER: Final = Order(containment_id=new_id(), operator="ana", reason="phishing")
MESSAGE: Final = CATALOGUE[ErrorCode.CLIENT_BLOCKED].message


@pytest.fixture
async def operator(database_url: str) -> AsyncIterator[Database]:
    database = Database(make_conninfo(database_url, user=AppRole.CONTAINMENT.value))
    yield database
    await database.close()


async def block(operator: Database, driver: Driver) -> None:
    assert await contain.block(operator, ClientId(driver.client_id), ORDER)


async def test_a_new_sign_in_stays_on_a_page_and_never_reaches_the_client(
    driver: Driver, operator: Database
) -> None:
    await driver.register()
    await block(operator, driver)

    page = await driver.authorize()

    assert page.status_code == 400
    assert "location" not in page.headers
    assert MESSAGE in page.text


async def test_registering_again_is_refused_and_adds_nothing(
    driver: Driver, operator: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    await block(operator, driver)

    answer = await driver.http.post(
        "/register", json={"client_name": "Test app", "redirect_uris": [driver.redirect_uri]}
    )

    assert answer.status_code == 400
    assert answer.json()["error"] == "unauthorized_client"
    assert answer.json()["code"] == "client_blocked"
    assert database_admin.execute("SELECT count(*) FROM app.clients").fetchone() == (1,)


async def test_codes_and_refresh_tokens_are_refused_and_come_back_to_life_with_the_client(
    driver: Driver, operator: Database
) -> None:
    tokens = await driver.tokens()
    code = await driver.sign_in()
    await block(operator, driver)

    refused = [await driver.redeem(code), await driver.refresh(tokens["refresh_token"])]
    assert await contain.unblock(operator, ClientId(driver.client_id), ORDER)
    taken = [await driver.redeem(code), await driver.refresh(tokens["refresh_token"])]

    assert [one.status_code for one in refused] == [400, 400]
    assert {one.json()["error"] for one in refused} == {"unauthorized_client"}
    assert [one.status_code for one in taken] == [200, 200]


async def test_its_tokens_are_refused_before_the_last_session_has_ended(
    driver: Driver, operator: Database, database_url: str
) -> None:
    tokens = await driver.tokens()
    await block(operator, driver)
    endpoint = Database(make_conninfo(database_url, user=AppRole.MCP_ENDPOINT.value))

    async with endpoint.autocommit() as tx:
        found = await calls.authenticate(tx, hash_token(PlainToken(tokens["access_token"])))
    await endpoint.close()

    assert found is not None
    assert found.session_ended


async def test_what_it_gives_back_is_taken(driver: Driver, operator: Database) -> None:
    tokens = await driver.tokens()
    await block(operator, driver)

    assert (await driver.revoke(tokens["refresh_token"])).status_code == 200


async def test_a_sign_in_under_way_is_refused_at_its_end_and_its_pair_is_burnt(
    driver: Driver,
    operator: Database,
    upstream: UpstreamStub,
    database_admin: psycopg.Connection[Any],
) -> None:
    await driver.register()
    await driver.authorize()
    sent = await driver.decide()
    await block(operator, driver)

    page = await driver.return_from_site(onward(sent))

    assert page.status_code == 400
    assert MESSAGE in page.text
    assert len(upstream.burnt) == 1
    assert database_admin.execute("SELECT count(*) FROM app.grants").fetchone() == (0,)
    reasons = database_admin.execute(
        "SELECT details ->> 'reason' FROM app.audit_events WHERE action = 'sign_in:refused'"
    ).fetchall()
    assert reasons == [("client_blocked",)]


async def test_containing_a_client_forgets_what_is_under_way_and_who_was_not_asked_again(
    driver: Driver, operator: Database
) -> None:
    await driver.register()
    code = await driver.sign_in()
    await driver.authorize()
    target = OneClient(ClientId(driver.client_id))
    async with operator.autocommit() as tx:
        until = await containments.now(tx)
    before = await contain.look(operator, target, until=until)

    async for _ in contain.contain(operator, target, ORDER, until=until):
        pass

    assert (before.grants, before.codes, before.sign_ins) == (1, 1, 1)
    assert (await contain.look(operator, target, until=until)).sign_ins == 0
    assert (await driver.decide()).status_code == 400
    assert (await driver.redeem(code)).json()["error"] == "invalid_grant"


async def test_a_block_waits_for_a_sign_in_that_is_being_stored(
    driver: Driver, operator: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    waits = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    with database_admin.transaction():
        database_admin.execute("SELECT 1 FROM app.clients FOR SHARE")
        blocking = asyncio.create_task(block(operator, driver))
        async with asyncio.timeout(5):
            while (await asyncio.to_thread(database_admin.execute, waits)).fetchone() == (0,):
                pass

    await blocking
