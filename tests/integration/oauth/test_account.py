"""The account page: whose connections it shows, what it ends, and what it never tells."""

import asyncio
from typing import Any
from uuid import uuid4

import psycopg
import pytest

from shared.domain.account_page import (
    CONNECTIONS_SHOWN_MAX,
)
from shared.domain.tokens import hash_token
from shared.state import sessions
from shared.state.database import Database
from tests.integration.oauth.driver import Driver
from tests.integration.oauth.visitor import ACCOUNT, Visitor


async def test_nobody_sees_anything_without_signing_in(
    maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    page = await maya.get()

    assert page.status_code == 200
    assert "Sign in with drupal.example" in page.text
    assert "set-cookie" not in page.headers
    rows = database_admin.execute("SELECT count(*) FROM app.account_sign_ins").fetchone()
    assert rows == (0,), "looking writes nothing"


async def test_a_person_sees_their_clients_with_times_and_permissions_in_words(
    driver: Driver, maya: Visitor
) -> None:
    await driver.register(client_name="Tutor <b>App</b>", client_uri="https://app.example/about")
    await driver.tokens()

    page = await maya.sign_in()

    assert page.status_code == 200
    assert "Tutor &lt;b&gt;App&lt;/b&gt;" in page.text
    assert "says it is from app.example" in page.text
    assert "<dt>Returns to</dt><dd>app.example" in page.text
    assert page.text.count("<time datetime=") == 2
    assert "Search tutorials on your behalf" in page.text
    assert len(maya.connections) == 1
    assert "Disconnect all" not in page.text, "one is disconnected by its own button"


async def test_a_person_without_connections_is_told_how_to_make_one(maya: Visitor) -> None:
    page = await maya.sign_in()

    assert "No application is connected" in page.text
    assert maya.connections == []


async def test_the_page_is_private_and_without_a_script(driver: Driver, maya: Visitor) -> None:
    await driver.tokens()

    page = await maya.sign_in()

    assert page.headers["cache-control"] == "no-store"
    assert page.headers["referrer-policy"] == "no-referrer"
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "form-action 'self'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "<script" not in page.text
    assert "access-control-allow-origin" not in page.headers


async def test_disconnecting_ends_the_grant_by_the_persons_will_and_is_audited(
    driver: Driver, maya: Visitor, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    await maya.sign_in()

    answer = await maya.post("disconnect", connection=maya.connections[0])
    async with database.autocommit() as tx:
        lives = await sessions.access_token_lives(tx, hash_token(tokens["access_token"]))
    page = await maya.get("/account", done="disconnected")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"{ACCOUNT}?done=disconnected"
    assert not lives, "from the client's next request on"
    assert "The application was disconnected" in page.text
    assert "No application is connected" in page.text
    assert (await driver.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    rows = database_admin.execute(
        "SELECT details->>'cause', user_id IS NOT NULL FROM app.audit_events"
        " WHERE action = 'grant:ended'"
    ).fetchall()
    assert rows == [("disconnected_by_person", True)]
    queued = database_admin.execute("SELECT count(*) FROM app.revocation_outbox").fetchone()
    assert queued == (1,), "Drupal will be told"


async def test_only_the_chosen_connection_ends(driver: Driver, maya: Visitor) -> None:
    first = await driver.tokens()
    second = await driver.tokens()
    await maya.sign_in()
    ended = maya.connections[0]

    await maya.post("disconnect", connection=ended)
    await maya.get()

    assert len(maya.connections) == 1
    assert ended not in maya.connections
    outcomes = [
        (await driver.refresh(tokens["refresh_token"])).status_code for tokens in (first, second)
    ]
    assert sorted(outcomes) == [200, 400]


async def test_all_connections_end_together(driver: Driver, maya: Visitor) -> None:
    tokens = [await driver.tokens() for _ in range(3)]
    await maya.sign_in()

    answer = await maya.post("disconnect_all")
    page = await maya.get("/account", done="all_disconnected")

    assert answer.headers["location"] == f"{ACCOUNT}?done=all_disconnected"
    assert "No application is connected" in page.text
    for one in tokens:
        assert (await driver.refresh(one["refresh_token"])).status_code == 400


async def test_a_long_list_is_cut_and_ended_as_a_whole(
    driver: Driver, maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.tokens()
    database_admin.execute(
        "INSERT INTO app.grants (grant_id, user_id, client_id, pair_ciphertext, key_generation,"
        " access_expires_at, last_used_at)"
        " SELECT gen_random_uuid(), user_id, client_id, pair_ciphertext, key_generation,"
        " access_expires_at, last_used_at - n * interval '1 day'"
        " FROM app.grants, generate_series(1, %(more)s) n",
        {"more": CONNECTIONS_SHOWN_MAX + 1},
    )
    page = await maya.sign_in()

    await maya.post("disconnect_all")

    assert len(maya.connections) == CONNECTIONS_SHOWN_MAX
    assert "2 more are not shown" in page.text
    assert "Disconnect all 102 applications" in page.text
    rows = database_admin.execute(
        "SELECT count(*), count(*) FILTER (WHERE status = 'ended') FROM app.grants"
    ).fetchone()
    assert rows == (102, 102)


async def test_disconnecting_twice_at_once_while_the_client_refreshes_leaves_nothing_alive(
    driver: Driver, maya: Visitor, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = [await driver.tokens() for _ in range(3)]
    await maya.sign_in()
    elsewhere = Visitor(driver.http, driver.upstream)
    await elsewhere.sign_in()

    answers = await asyncio.gather(
        maya.post("disconnect_all"),
        elsewhere.post("disconnect_all"),
        maya.post("disconnect", connection=maya.connections[0]),
        *(driver.refresh(one["refresh_token"]) for one in tokens),
    )

    assert [answer.status_code for answer in answers[:3]] == [303, 303, 303]
    alive = database_admin.execute(
        "SELECT (SELECT count(*) FROM app.grants WHERE status <> 'ended'),"
        " (SELECT count(*) FROM app.sessions WHERE ended_at IS NULL),"
        " (SELECT count(*) FROM app.audit_events WHERE action = 'grant:ended')"
    ).fetchone()
    assert alive == (0, 0, 3), "each ended once"


async def test_a_person_never_sees_or_ends_what_is_anothers(driver: Driver, maya: Visitor) -> None:
    tokens = await driver.tokens()
    await maya.sign_in()
    felix = Visitor(driver.http, driver.upstream, subject="43")
    await felix.sign_in()

    foreign = await felix.post("disconnect", connection=maya.connections[0])
    unknown = await felix.post("disconnect", connection=str(uuid4()))
    malformed = await felix.post("disconnect", connection="x")
    every = await felix.post("disconnect_all")

    assert felix.connections == []
    answers = [(one.status_code, one.headers["location"]) for one in (foreign, unknown, malformed)]
    assert answers == [(303, f"{ACCOUNT}?done=not_connected")] * 3
    assert every.status_code == 303
    await maya.get()
    assert len(maya.connections) == 1
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200


@pytest.mark.parametrize("form", [{"action": "delete"}, {"action": ""}, {"other": "x"}])
async def test_an_unknown_action_is_refused(maya: Visitor, form: dict[str, str]) -> None:
    await maya.sign_in()

    answer = await maya.http.post("/account", data=form)

    assert answer.status_code == 400


async def test_a_notice_is_one_of_ours(maya: Visitor) -> None:
    page = await maya.get("/account", done="<b>you won</b>")

    assert "you won" not in page.text
    assert 'role="status"' not in page.text


async def test_another_method_is_answered_with_a_page(maya: Visitor) -> None:
    answer = await maya.http.delete("/account")

    assert answer.status_code == 405
    assert "This page cannot continue" in answer.text
