"""Clients that prove themselves with a key (``private_key_jwt``): what counts, and what not."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import psycopg
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.client_authentication import ASSERTION_TYPE
from shared.domain.clients import Client, RegistrationKind
from shared.domain.identifiers import ClientId
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.support.unreliable_database import UnreliableDatabase

KEY = ECKey.generate_key("P-256", {"kid": "1"})
STRANGER = ECKey.generate_key("P-256", {"kid": "1"})
SERVER = Client(
    client_id=ClientId("server"),
    kind=RegistrationKind.PREREGISTERED,
    client_name="Server of a partner",
    redirect_uris=(WEB_REDIRECT,),
    keys={"keys": [KEY.as_dict(private=False)]},
    must_authenticate=True,
)
MAY = replace(SERVER, client_id=ClientId("may"), must_authenticate=False)
PUBLIC = replace(SERVER, client_id=ClientId("public"), keys=None, must_authenticate=False)
CLIENTS = {client.client_id: client for client in (SERVER, MAY, PUBLIC)}


def assertion(key: ECKey = KEY, client_id: str = SERVER.client_id, **changes: object) -> str:
    """An assertion as RFC 7523 section 3 has it; None leaves a claim out."""
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "exp": int(time.time()) + 240,
        "iat": int(time.time()),
        "jti": str(uuid4()),
        **changes,
    }
    given = {name: value for name, value in claims.items() if value is not None}
    return jwt.encode({"alg": "ES256", "kid": "1"}, given, key)


def proof(text: str | None = None) -> dict[str, str | None]:
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text or assertion()}


def serving(dependencies: Dependencies) -> httpx2.AsyncClient:
    """HTTP into the application that knows these clients."""
    app = create_app(replace(dependencies, preregistered=CLIENTS))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)


@pytest.fixture
def driver(dependencies: Dependencies, upstream: UpstreamStub) -> Driver:
    return Driver(http=serving(dependencies), upstream=upstream, client_id=SERVER.client_id)


def refused(answer: httpx2.Response) -> bool:
    return (answer.status_code, answer.json()["error"]) == (401, "invalid_client")


async def test_a_client_with_a_key_signs_in_refreshes_and_revokes(driver: Driver) -> None:
    issued = await driver.redeem(await driver.sign_in(), **proof())
    assert issued.status_code == 200, issued.text
    by_endpoint = assertion(aud=[f"{ISSUER}/token", "https://other.example"])
    refreshed = await driver.refresh(issued.json()["refresh_token"], **proof(by_endpoint))
    assert refreshed.status_code == 200
    again = refreshed.json()["refresh_token"]

    bare = await driver.http.post("/revoke", data={"token": again, "client_id": "server"})
    assert refused(bare)
    revoked = await driver.http.post("/revoke", data={"token": again, **proof()})
    assert revoked.status_code == 200
    ended = await driver.refresh(again, **proof())
    assert ended.json()["error"] == "invalid_grant"


async def test_the_assertion_alone_says_who_it_is(driver: Driver) -> None:
    issued = await driver.redeem(await driver.sign_in(), client_id=None, **proof())

    assert issued.status_code == 200


def unsigned(claims: object) -> dict[str, str | None]:
    middle = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()
    return proof(f"e30.{middle}.AA")


WRONG: list[Callable[[], dict[str, str | None]]] = [
    dict,
    lambda: {"client_assertion": assertion()},
    lambda: {"client_assertion_type": ASSERTION_TYPE},
    lambda: {**proof(), "client_assertion_type": "urn:ietf:params:oauth:grant-type:jwt-bearer"},
    lambda: proof("nonsense"),
    lambda: proof("a" * 20_000),
    lambda: proof(assertion(STRANGER)),
    lambda: proof(assertion(iss="may")),
    lambda: proof(assertion(sub="may")),
    lambda: proof(assertion(sub=None)),
    lambda: proof(assertion(client_id="may")),
    lambda: proof(assertion(aud=None)),
    lambda: proof(assertion(aud="https://auth.example.evil")),
    lambda: proof(assertion(aud=f"{ISSUER}/")),
    lambda: proof(assertion(aud=[])),
    lambda: proof(assertion(aud=[ISSUER] * 11)),
    lambda: proof(assertion(aud={"x": ISSUER})),
    lambda: proof(assertion(exp=None)),
    lambda: proof(assertion(exp=int(time.time()) - 1)),
    lambda: proof(assertion(exp=int(time.time()) + 3_600)),
    lambda: proof(assertion(exp="2999-01-01")),
    lambda: proof(assertion(exp=True)),
    lambda: proof(assertion(exp=10**400)),
    lambda: proof(assertion(exp=-1)),
    lambda: proof(assertion(nbf=int(time.time()) + 120)),
    lambda: proof(assertion(iat=int(time.time()) + 120)),
    lambda: proof(assertion(jti=None)),
    lambda: proof(assertion(jti="")),
    lambda: proof(assertion(jti=7)),
    lambda: proof(assertion(jti="\x00")),
    lambda: {**unsigned({"sub": "\ud800"}), "client_id": None},
    lambda: {**unsigned({"sub": ["server"]}), "client_id": None},
    lambda: {**unsigned(["sub"]), "client_id": None},
    lambda: {**proof("no.dots"), "client_id": None},
    lambda: proof(assertion(jti="x" * 300)),
]


async def test_no_wrong_assertion_is_accepted_and_none_ends_anything(
    driver: Driver, database_admin: psycopg.Connection[Any]
) -> None:
    code = await driver.sign_in()

    for wrong in WRONG:
        answer = await driver.redeem(code, **wrong())
        assert refused(answer), (wrong(), answer.text)

    found = database_admin.execute("SELECT count(*) FROM app.assertion_ids").fetchone()
    assert found == (0,)
    assert (await driver.redeem(code, **proof())).status_code == 200


async def test_an_assertion_counts_once_also_when_its_request_failed(driver: Driver) -> None:
    code, mine = await driver.sign_in(), proof()

    assert (await driver.redeem("unknown", **mine)).json()["error"] == "invalid_grant"
    assert refused(await driver.redeem(code, **mine))


async def test_of_one_assertion_used_ten_times_at_once_one_counts(driver: Driver) -> None:
    await driver.authorize()
    mine = proof()

    answers = await asyncio.gather(*(driver.refresh("unknown", **mine) for _ in range(10)))

    errors = sorted(answer.json()["error"] for answer in answers)
    assert errors == ["invalid_client"] * 9 + ["invalid_grant"]


async def test_a_client_that_may_prove_itself_need_not_but_must_not_fail(driver: Driver) -> None:
    driver.client_id = MAY.client_id
    tokens = (await driver.redeem(await driver.sign_in())).json()

    wrong = await driver.refresh(
        tokens["refresh_token"], **proof(assertion(STRANGER, client_id="may"))
    )
    assert refused(wrong)
    proven = await driver.refresh(tokens["refresh_token"], **proof(assertion(client_id="may")))
    assert proven.status_code == 200


async def test_a_client_without_keys_cannot_prove_anything(driver: Driver) -> None:
    driver.client_id = PUBLIC.client_id
    code = await driver.sign_in()

    assert refused(await driver.redeem(code, **proof(assertion(client_id="public"))))
    assert (await driver.redeem(code)).status_code == 200


async def test_the_metadata_names_the_methods_and_algorithms_that_work(driver: Driver) -> None:
    document = (await driver.http.get("/.well-known/oauth-authorization-server")).json()

    for endpoint in ("token", "revocation"):
        assert document[f"{endpoint}_endpoint_auth_methods_supported"] == [
            "none",
            "private_key_jwt",
        ]
        algorithms = document[f"{endpoint}_endpoint_auth_signing_alg_values_supported"]
        assert algorithms == ["ES256", "RS256", "PS256", "EdDSA"]


@pytest.fixture
async def unreliable(role_url: str) -> AsyncIterator[UnreliableDatabase]:
    database = UnreliableDatabase(role_url)
    yield database
    await database.close()


async def test_an_assertion_whose_commit_was_not_acknowledged_still_counts_for_its_request(
    driver: Driver, dependencies: Dependencies, unreliable: UnreliableDatabase
) -> None:
    code, mine = await driver.sign_in(), proof()
    reliable = driver.http
    driver.http = serving(replace(dependencies, database=unreliable))
    unreliable.lost_commits = 1

    assert (await driver.redeem(code, **mine)).status_code == 200
    driver.http = reliable
    assert refused(await driver.refresh("unknown", **mine))


async def test_an_outage_while_a_client_proves_itself_refuses_nobody(
    driver: Driver, dependencies: Dependencies, unreliable: UnreliableDatabase
) -> None:
    code, mine = await driver.sign_in(), proof()
    reliable = driver.http
    driver.http = serving(replace(dependencies, database=unreliable, ride_out_seconds=0))
    unreliable.refusals = 100

    answer = await driver.redeem(code, **mine)

    assert (answer.status_code, answer.json()["error"]) == (503, "temporarily_unavailable")
    assert answer.headers["retry-after"]
    driver.http = reliable
    assert (await driver.redeem(code, **mine)).status_code == 200
