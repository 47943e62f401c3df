"""Revocation: what a client gives back is dead at once, and only its own."""

from typing import Any

import psycopg
import pytest

from tests.integration.oauth.driver import Driver


@pytest.mark.parametrize("kind", ["access_token", "refresh_token"])
async def test_either_token_ends_the_grant_and_queues_telling_the_site(
    driver: Driver, kind: str, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()

    answer = await driver.http.post(
        "/revoke", data={"token": tokens[kind], "client_id": driver.client_id}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    assert (await driver.refresh(tokens["refresh_token"])).json()["error"] == "invalid_grant"
    row = database_admin.execute("SELECT status, ended_cause FROM app.grants").fetchone()
    assert row == ("ended", "revoked_by_client")
    assert database_admin.execute("SELECT count(*) FROM app.revocation_outbox").fetchone() == (1,)


async def test_revoking_twice_is_no_error(driver: Driver) -> None:
    tokens = await driver.tokens()
    form = {"token": tokens["access_token"], "client_id": driver.client_id}

    await driver.http.post("/revoke", data=form)
    again = await driver.http.post("/revoke", data=form)

    assert again.status_code == 200


@pytest.mark.parametrize("token", ["dmcp_at_" + "A" * 43, "nonsense", "x" * 10_000])
async def test_an_unknown_token_is_no_error(driver: Driver, token: str) -> None:
    await driver.register()

    answer = await driver.http.post(
        "/revoke", data={"token": token, "client_id": driver.client_id, "token_type_hint": "x"}
    )

    assert answer.status_code == 200


async def test_another_clients_token_is_answered_as_an_unknown_one_and_stays_alive(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    owner = driver.client_id
    await driver.register(client_name="Other")

    answer = await driver.http.post(
        "/revoke", data={"token": tokens["refresh_token"], "client_id": driver.client_id}
    )

    assert (answer.status_code, answer.json()) == (200, {})
    events = database_admin.execute("SELECT action FROM app.audit_events").fetchall()
    assert ("session:revoked",) not in events
    kept = await driver.refresh(tokens["refresh_token"], client_id=owner)
    assert kept.status_code == 200


@pytest.mark.parametrize(
    ("form", "status", "error"),
    [
        ({"token": "x"}, 400, "invalid_request"),
        ({"client_id": "x"}, 400, "invalid_request"),
        ({"token": "x", "client_id": "nobody"}, 401, "invalid_client"),
    ],
)
async def test_who_revokes_what_must_be_said(
    driver: Driver, form: dict[str, str], status: int, error: str
) -> None:
    answer = await driver.http.post("/revoke", data=form)

    assert (answer.status_code, answer.json()["error"]) == (status, error)


async def test_other_sign_ins_of_the_person_go_on(driver: Driver) -> None:
    first = await driver.tokens()
    second = (await driver.redeem(await driver.sign_in())).json()

    await driver.http.post(
        "/revoke", data={"token": first["refresh_token"], "client_id": driver.client_id}
    )

    assert (await driver.refresh(second["refresh_token"])).status_code == 200
