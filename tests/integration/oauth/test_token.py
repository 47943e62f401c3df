"""The token endpoint: codes, rotation, replays, and what a client hears when something is off."""

import asyncio
import json
from typing import Any

import psycopg
import pytest

from shared.domain.sessions import EndCause
from shared.observability import metrics
from shared.state.database import Database
from shared.workflows.end_grant import end_grant
from tests.integration.oauth.driver import FORM, MCP_URL, Driver
from tests.support.clock import DatabaseClock


async def test_a_code_yields_tokens_that_nobody_may_store(driver: Driver) -> None:
    await driver.register()

    answer = await driver.redeem(await driver.sign_in())

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert set(body) == {"access_token", "token_type", "expires_in", "refresh_token", "scope"}
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 3_600)
    assert body["scope"] == "tutorial:search tutorial:read"


async def test_a_sign_in_tells_its_time_once_when_its_code_is_redeemed(
    driver: Driver, capsys: pytest.CaptureFixture[str]
) -> None:
    metrics.flush()
    capsys.readouterr()
    await driver.register()
    code = await driver.sign_in()
    await driver.redeem(code)
    await driver.redeem(code)
    metrics.flush()

    written = capsys.readouterr().out.splitlines()
    lines = [json.loads(line) for line in written if line.startswith('{"_aws"')]
    ((whole,),) = [line["SignInDuration"] for line in lines if "SignInDuration" in line]
    ((own,),) = [line["SignInOwnDuration"] for line in lines if "SignInOwnDuration" in line]
    assert 0 < own <= whole
    reached = [line["outcome"] for line in lines if "SignIns" in line]
    assert {"begun", "consented", "returned", "completed"} <= set(reached)


async def test_only_hashes_of_tokens_are_stored(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()

    dump = "".join(
        str(database_admin.execute(statement).fetchall())
        for statement in (
            "SELECT * FROM app.access_tokens",
            "SELECT * FROM app.refresh_tokens",
            "SELECT * FROM app.authorization_codes",
            "SELECT * FROM app.browser_approvals",
            "SELECT * FROM app.grants",
            "SELECT * FROM app.audit_events",
        )
    )
    pair = driver.upstream.issued[0]
    secrets = (tokens["access_token"], tokens["refresh_token"], pair.access_token, driver.cookie)
    assert all(secret not in dump for secret in (*secrets, str(pair.refresh_token)))


async def test_a_replayed_code_is_refused_and_ends_the_grant(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    code = await driver.sign_in()
    first = (await driver.redeem(code)).json()

    again = await driver.redeem(code)

    assert (again.status_code, again.json()["error"]) == (400, "invalid_grant")
    refreshed = await driver.refresh(first["refresh_token"])
    assert refreshed.json()["error"] == "invalid_grant"
    row = database_admin.execute("SELECT ended_cause FROM app.grants").fetchone()
    assert row == ("code_replayed",)
    outbox = database_admin.execute("SELECT count(*) FROM app.revocation_outbox").fetchone()
    assert outbox == (1,)


async def test_ten_parallel_redemptions_yield_one_token(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    code = await driver.sign_in()

    answers = await asyncio.gather(*(driver.redeem(code) for _ in range(10)))

    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 9
    assert len({answer.text for answer in answers if answer.status_code == 400}) == 1
    row = database_admin.execute("SELECT count(*) FROM app.access_tokens").fetchone()
    assert row == (1,)
    ended = database_admin.execute("SELECT ended_cause FROM app.grants").fetchall()
    assert ended == [("code_replayed",)], "whoever sends a code ten times has leaked it"


async def test_a_wrong_verifier_burns_the_code(driver: Driver) -> None:
    await driver.register()
    code = await driver.sign_in()

    wrong = await driver.redeem(code, code_verifier="w" * 43)
    right = await driver.redeem(code)

    assert (wrong.status_code, wrong.json()["error"]) == (400, "invalid_grant")
    assert right.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"redirect_uri": "https://app.example/callback/"}, "invalid_grant"),
        ({"redirect_uri": None}, "invalid_request"),
        ({"code_verifier": None}, "invalid_request"),
        ({"code_verifier": "short"}, "invalid_grant"),
        ({"code_verifier": "é" * 43}, "invalid_grant"),
        ({"code": "unknown"}, "invalid_grant"),
        ({"code": "dmcp_ac_" + "A" * 43}, "invalid_grant"),
        ({"code": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
        ({"resource": "https://other.example/mcp"}, "invalid_target"),
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({"grant_type": None}, "invalid_request"),
    ],
)
async def test_a_redemption_that_does_not_fit_is_refused(
    driver: Driver, changes: dict[str, str | None], error: str
) -> None:
    await driver.register()
    code = await driver.sign_in()

    answer = await driver.redeem(code, **changes)

    assert answer.json()["error"] == error
    assert answer.status_code == (401 if error == "invalid_client" else 400)
    assert answer.headers["cache-control"] == "no-store"


async def test_an_expired_code_is_refused(driver: Driver, clock: DatabaseClock) -> None:
    await driver.register()
    code = await driver.sign_in()
    clock.advance(61)

    answer = await driver.redeem(code)

    assert answer.json()["error"] == "invalid_grant"


async def test_another_client_cannot_redeem_a_code(driver: Driver) -> None:
    await driver.register()
    code = await driver.sign_in()
    await driver.register(client_name="Thief")

    answer = await driver.redeem(code)

    assert answer.json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    "resource", [None, MCP_URL, f"{MCP_URL}/", "https://mcp.example", "https://mcp.example/"]
)
async def test_resource_forms_of_the_field_are_accepted(
    driver: Driver, resource: str | None
) -> None:
    await driver.register()
    code = await driver.sign_in(resource=resource)

    answer = await driver.redeem(code, resource=resource)

    assert answer.status_code == 200
    refreshed = await driver.refresh(answer.json()["refresh_token"], resource=resource)
    assert refreshed.status_code == 200


async def test_a_refresh_rotates_both_tokens(driver: Driver) -> None:
    tokens = await driver.tokens()

    answer = await driver.refresh(tokens["refresh_token"])

    assert answer.status_code == 200
    body = answer.json()
    assert body["refresh_token"] != tokens["refresh_token"]
    assert body["access_token"] != tokens["access_token"]


async def test_twenty_parallel_refreshes_rotate_once_and_answer_alike(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()

    answers = await asyncio.gather(*(driver.refresh(tokens["refresh_token"]) for _ in range(20)))

    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.text for answer in answers}) == 1
    row = database_admin.execute("SELECT count(*) FROM app.refresh_tokens").fetchone()
    assert row == (2,)
    rotations = "SELECT count(*) FROM app.audit_events WHERE action = 'session:refreshed'"
    assert database_admin.execute(rotations).fetchone() == (1,)


async def test_a_lost_answer_is_given_again_hours_later_with_what_is_left_of_its_life(
    driver: Driver, clock: DatabaseClock
) -> None:
    tokens = await driver.tokens()
    first = (await driver.refresh(tokens["refresh_token"])).json()
    clock.advance(1_800)

    again = (await driver.refresh(tokens["refresh_token"])).json()

    assert again["access_token"] == first["access_token"]
    assert again["refresh_token"] == first["refresh_token"]
    assert 1_798 <= again["expires_in"] <= 1_800


@pytest.mark.parametrize("hours", [1, 23])
async def test_an_old_token_hours_later_gives_its_unused_successor_with_a_new_access_token(
    driver: Driver, clock: DatabaseClock, hours: int
) -> None:
    tokens = await driver.tokens()
    first = (await driver.refresh(tokens["refresh_token"])).json()
    clock.advance(3_600 * hours)

    again = (await driver.refresh(tokens["refresh_token"])).json()

    assert again["refresh_token"] == first["refresh_token"]
    assert again["access_token"] != first["access_token"]
    assert again["expires_in"] == 3_600


async def test_a_predecessor_still_answers_within_grace_of_its_successors_first_use(
    driver: Driver, clock: DatabaseClock
) -> None:
    tokens = await driver.tokens()
    second = (await driver.refresh(tokens["refresh_token"])).json()
    await driver.refresh(second["refresh_token"])
    clock.advance(30)

    again = await driver.refresh(tokens["refresh_token"])

    assert again.json()["refresh_token"] == second["refresh_token"]


async def test_a_replay_after_grace_ends_the_family(
    driver: Driver, clock: DatabaseClock, database_admin: psycopg.Connection[Any]
) -> None:
    tokens = await driver.tokens()
    second = (await driver.refresh(tokens["refresh_token"])).json()
    third = (await driver.refresh(second["refresh_token"])).json()
    clock.advance(61)

    reused = await driver.refresh(tokens["refresh_token"])

    assert reused.json()["error"] == "invalid_grant"
    assert (await driver.refresh(third["refresh_token"])).json()["error"] == "invalid_grant"
    row = database_admin.execute("SELECT ended_cause FROM app.sessions").fetchone()
    assert row == ("refresh_token_reused",)
    actions = database_admin.execute("SELECT action FROM app.audit_events").fetchall()
    assert ("refresh_token:reused",) in actions


async def test_an_idle_session_ends_by_sliding_expiry(driver: Driver, clock: DatabaseClock) -> None:
    tokens = await driver.tokens()
    clock.advance(86_400 * 30 + 1)

    answer = await driver.refresh(tokens["refresh_token"])

    assert answer.json()["error"] == "invalid_grant"


async def test_a_busy_session_ends_at_its_absolute_limit(
    driver: Driver, clock: DatabaseClock
) -> None:
    tokens = await driver.tokens()
    refresh_token = tokens["refresh_token"]
    for _ in range(4):
        clock.advance(86_400 * 20)
        refresh_token = (await driver.refresh(refresh_token)).json()["refresh_token"]
    clock.advance(86_400 * 10 - 600)
    late = (await driver.refresh(refresh_token)).json()

    assert 500 <= late["expires_in"] <= 600
    clock.advance(700)
    assert (await driver.refresh(late["refresh_token"])).json()["error"] == "invalid_grant"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"resource": "https://other.example/"}, "invalid_target"),
        ({"refresh_token": "dmcp_rt_" + "A" * 43}, "invalid_grant"),
        ({"refresh_token": "x" * 20_000}, "invalid_grant"),
        ({"refresh_token": None}, "invalid_request"),
        ({"client_id": None}, "invalid_request"),
        ({"client_id": "nobody"}, "invalid_client"),
    ],
)
async def test_a_refresh_that_does_not_fit_is_refused_and_changes_nothing(
    driver: Driver, changes: dict[str, str | None], error: str
) -> None:
    tokens = await driver.tokens()

    form = {"grant_type": "refresh_token", "client_id": driver.client_id}
    answer = await driver.token({**form, "refresh_token": tokens["refresh_token"], **changes})

    assert answer.json()["error"] == error
    assert (await driver.refresh(tokens["refresh_token"])).status_code == 200


async def test_more_scope_than_given_is_refused_and_less_or_foreign_accepted(
    driver: Driver,
) -> None:
    await driver.register()
    tokens = (await driver.redeem(await driver.sign_in(scope="tutorial:search"))).json()

    wider = await driver.refresh(tokens["refresh_token"], scope="tutorial:search tutorial:read")
    foreign = await driver.refresh(
        tokens["refresh_token"], scope="tutorial:search offline_access openid"
    )

    assert (wider.status_code, wider.json()["error"]) == (400, "invalid_scope")
    assert foreign.json()["scope"] == "tutorial:search"


async def test_another_client_cannot_use_a_refresh_token(driver: Driver) -> None:
    tokens = await driver.tokens()
    owner = driver.client_id
    await driver.register(client_name="Thief")

    stolen = await driver.refresh(tokens["refresh_token"])

    assert stolen.json()["error"] == "invalid_grant"
    kept = await driver.refresh(tokens["refresh_token"], client_id=owner)
    assert kept.status_code == 200


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"grant_type=refresh_token&grant_type=refresh_token", FORM, 400),
        (b"grant_type=refresh_token&client_id=a&client_id=b&refresh_token=x", FORM, 400),
        (b"grant_type=refresh_token&client_id=%00&refresh_token=x", FORM, 400),
        (b"grant_type=refresh_token&client_id=%ff%fe&refresh_token=x", FORM, 400),
        (b"grant_type=refresh_token&client_id=\xff&refresh_token=x", FORM, 400),
        (b"&".join(b"p%d=1" % n for n in range(60)), FORM, 400),
        (b"", FORM, 400),
        (b'{"grant_type":"refresh_token"}', {"content-type": "application/json"}, 415),
        (b"grant_type=refresh_token", {}, 415),
        (b"grant_type=" + b"x" * 70_000, FORM, 413),
    ],
)
async def test_malformed_bodies_get_json_errors(
    driver: Driver, body: bytes, headers: dict[str, str], status: int
) -> None:
    answer = await driver.http.post("/token", content=body, headers=headers)

    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/json"
    assert answer.json()["error"] == "invalid_request"
    assert answer.json()["correlation_id"]


async def test_a_code_of_a_grant_that_has_ended_gives_nothing(
    driver: Driver, database: Database, database_admin: psycopg.Connection[Any]
) -> None:
    await driver.register()
    code = await driver.sign_in()
    row = database_admin.execute("SELECT grant_id FROM app.grants").fetchone()
    assert row is not None
    async with database.transaction() as tx:
        await end_grant(tx, grant_id=row[0], cause=EndCause.REJECTED_UPSTREAM)

    answer = await driver.redeem(code)

    assert answer.json()["error"] == "invalid_grant"
    assert database_admin.execute("SELECT count(*) FROM app.sessions").fetchone() == (0,)
