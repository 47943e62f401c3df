"""Keys by reference: fetched when an assertion needs them, kept, and never a reason to lose one."""

import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

import httpx2
import pytest
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

from functions.oauth.app import create_app
from functions.oauth.client_documents.fetcher import FETCH_SECONDS_MAX, DocumentFetcher
from functions.oauth.dependencies import Dependencies
from functions.oauth.flows.client_authentication import ASSERTION_TYPE
from functions.oauth.flows.client_keys import KEY_SET_BYTES_MAX
from shared.domain.client_documents import (
    FRESH_SECONDS_MAX,
    FRESH_SECONDS_MIN,
    HOST_FETCHES_PER_MINUTE_MAX,
    fresh_seconds,
)
from shared.domain.client_keys import (
    KEYS_LAST_GOOD_SECONDS_MAX,
    KEYS_REFETCH_SECONDS_MIN,
    KEYS_RETRY_SECONDS,
)
from tests.integration.oauth.driver import ISSUER, WEB_REDIRECT, Driver
from tests.integration.oauth.server_parts import loopback_only
from tests.support.clock import DatabaseClock
from tests.support.scripted_site import HANG, ScriptedSite, http, scripted_site

RSA = RSAKey.generate_key(2048, {"kid": "rsa-1"})
EC = ECKey.generate_key("P-256", {"kid": "ec-2"})
OTHER_CURVE = ECKey.generate_key("P-384", {"kid": "ec-3"})
JSON = {"Content_Type": "application/jwk-set+json"}


def key_set(*keys: Any, max_age: int | None = None) -> bytes:
    """Keys as their host sends them."""
    members = [{**key.as_dict(private=False), "use": "sig", "x5t": "ignored"} for key in keys]
    headers = dict(JSON) if max_age is None else {**JSON, "Cache_Control": f"max-age={max_age}"}
    return http(200, json.dumps({"keys": members}), **headers)


def proof(client_id: str, key: Any = RSA, *, later_seconds: int = 0) -> dict[str, str | None]:
    """What a client sends that has ``key``, when the database's clock is that much ahead."""
    now = int(time.time()) + later_seconds
    claims = {
        "iss": client_id,
        "sub": client_id,
        "aud": ISSUER,
        "exp": now + 240,
        "iat": now,
        "jti": str(uuid4()),
    }
    algorithm = "RS256" if isinstance(key, RSAKey) else "ES256"
    signed = jwt.encode({"alg": algorithm, "kid": key.kid}, claims, key)
    return {"client_assertion_type": ASSERTION_TYPE, "client_assertion": signed}


@asynccontextmanager
async def publishing(
    driver: Driver, *answers: bytes, **changes: Any
) -> AsyncIterator[ScriptedSite]:
    """A client that must prove itself and whose keys are at another host, which answers this."""
    async with scripted_site(b"") as documents, scripted_site(*answers) as keys:
        driver.client_id = f"{documents.url}/client.json"
        members = {
            "client_id": driver.client_id,
            "redirect_uris": [WEB_REDIRECT],
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "RS256",
            "jwks_uri": f"{keys.url}/jwks.json",
            **changes,
        }
        documents.answers[:] = [http(200, json.dumps(members), Content_Type="application/json")]
        yield keys


def heard(answer: httpx2.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]


REFUSED = (401, "invalid_client")
LATER = (503, "temporarily_unavailable")


async def test_a_client_proves_itself_by_keys_that_are_fetched_once(driver: Driver) -> None:
    async with publishing(driver, key_set(OTHER_CURVE, RSA, EC)) as keys:
        code = await driver.sign_in()
        assert keys.connections == 0
        assert heard(await driver.redeem(code)) == REFUSED
        issued = await driver.redeem(code, **proof(driver.client_id))
        assert issued.status_code == 200, issued.text
        token = issued.json()["refresh_token"]
        refreshed = await driver.refresh(token, **proof(driver.client_id, EC))
        assert refreshed.status_code == 200, refreshed.text
        revoked = await driver.http.post(
            "/revoke", data={"token": token, **proof(driver.client_id)}
        )
        assert revoked.status_code == 200

    assert len(keys.requests) == 1
    assert keys.requests[0].startswith(b"GET /jwks.json HTTP/1.1\r\n")


async def test_new_keys_are_asked_for_once_a_minute_whoever_comes(
    driver: Driver, clock: DatabaseClock
) -> None:
    async with publishing(driver, key_set(RSA)) as keys:
        tokens = (await driver.redeem(await driver.sign_in(), **proof(driver.client_id))).json()
        keys.answers[:] = [key_set(EC)]
        for _ in range(3):
            early = await driver.refresh(tokens["refresh_token"], **proof(driver.client_id, EC))
            assert heard(early) == REFUSED
        assert len(keys.requests) == 1
        clock.advance(KEYS_REFETCH_SECONDS_MIN + 1)
        later = proof(driver.client_id, EC, later_seconds=KEYS_REFETCH_SECONDS_MIN)
        refreshed = await driver.refresh(tokens["refresh_token"], **later)
        assert refreshed.status_code == 200, refreshed.text
        withdrawn = proof(driver.client_id, RSA, later_seconds=KEYS_REFETCH_SECONDS_MIN)
        assert heard(await driver.refresh("unknown", **withdrawn)) == REFUSED

    assert len(keys.requests) == 2


async def test_a_host_that_is_away_refuses_nobody(driver: Driver, clock: DatabaseClock) -> None:
    async with publishing(driver, http(500)) as keys:
        code = await driver.sign_in()
        for _ in range(3):
            away = await driver.redeem(code, **proof(driver.client_id))
            assert heard(away) == LATER
            assert away.json()["code"] == "client_keys_unavailable"
            assert away.headers["retry-after"] == str(KEYS_RETRY_SECONDS)
        assert len(keys.requests) == 1
        keys.answers[:] = [key_set(RSA)]
        clock.advance(KEYS_RETRY_SECONDS + 1)
        issued = await driver.redeem(
            code, **proof(driver.client_id, later_seconds=KEYS_RETRY_SECONDS)
        )

    assert issued.status_code == 200, issued.text


async def test_a_client_that_need_not_prove_itself_gets_in_while_its_keys_are_away(
    driver: Driver, clock: DatabaseClock
) -> None:
    both = {"token_endpoint_auth_methods_supported": ["none", "private_key_jwt"]}
    async with publishing(driver, http(403, "are you human"), **both) as keys:
        code = await driver.sign_in()
        issued = await driver.redeem(code, client_id=None, **proof(driver.client_id))
        assert issued.status_code == 200, issued.text
        token = issued.json()["refresh_token"]
        keys.answers[:] = [key_set(RSA)]
        clock.advance(KEYS_RETRY_SECONDS + 1)
        later = {"later_seconds": KEYS_RETRY_SECONDS}
        # Once there are keys, an assertion by another one is refused, and none is demanded.
        stranger = proof(driver.client_id, EC, later_seconds=KEYS_RETRY_SECONDS)
        assert heard(await driver.refresh(token, **stranger)) == REFUSED
        proven = await driver.refresh(token, **proof(driver.client_id, **later))
        assert proven.status_code == 200, proven.text
        public = await driver.refresh(proven.json()["refresh_token"])
        assert public.status_code == 200, public.text


async def test_the_last_good_keys_stand_in_for_a_day(driver: Driver, clock: DatabaseClock) -> None:
    async with publishing(driver, key_set(RSA)) as keys:
        tokens = (await driver.redeem(await driver.sign_in(), **proof(driver.client_id))).json()
        token = tokens["refresh_token"]
        keys.answers[:] = [http(503)]
        clock.advance(KEYS_LAST_GOOD_SECONDS_MAX - 600)
        late = KEYS_LAST_GOOD_SECONDS_MAX - 600
        # Those that are not in the last good set may be new ones.
        strange = proof(driver.client_id, EC, later_seconds=late)
        assert heard(await driver.refresh(token, **strange)) == LATER
        known = await driver.refresh(token, **proof(driver.client_id, later_seconds=late))
        assert known.status_code == 200, known.text
        assert len(keys.requests) == 2
        clock.advance(601)
        token = known.json()["refresh_token"]
        over = await driver.refresh(token, **proof(driver.client_id, later_seconds=late + 601))
        assert heard(over) == LATER
        keys.answers[:] = [key_set(RSA)]
        clock.advance(KEYS_RETRY_SECONDS + 1)
        back = proof(driver.client_id, later_seconds=late + 601 + KEYS_RETRY_SECONDS)
        assert (await driver.refresh(token, **back)).status_code == 200


@pytest.mark.parametrize("max_age", [0, 600, 10**8, None])
async def test_keys_are_kept_between_five_minutes_and_a_day(
    driver: Driver, clock: DatabaseClock, max_age: int | None
) -> None:
    kept_seconds = fresh_seconds(max_age)
    assert FRESH_SECONDS_MIN <= kept_seconds <= FRESH_SECONDS_MAX
    async with publishing(driver, key_set(RSA, max_age=max_age)) as keys:
        await driver.authorize()
        for later, fetches in ((0, 1), (kept_seconds - 10, 1), (kept_seconds, 2)):
            clock.advance(10 if fetches == 2 else later)
            mine = proof(driver.client_id, later_seconds=later)
            assert heard(await driver.refresh("unknown", **mine)) == (400, "invalid_grant")
            assert len(keys.requests) == fetches


UNUSABLE = {
    "private": http(200, json.dumps({"keys": [EC.as_dict(private=True)]}), **JSON),
    "none of use": key_set(OTHER_CURVE),
    "empty": http(200, '{"keys": []}', **JSON),
    "no set": http(200, "[]", **JSON),
    "no JSON": http(200, "{", **JSON),
    "a member twice": http(200, '{"keys": [], "keys": []}', **JSON),
    "too deep": http(200, "[" * 10_000, **JSON),
    "too large": http(200, b" " * (KEY_SET_BYTES_MAX + 1), **JSON),
}
PASSING = {
    "missing": http(404, "{}", **JSON),
    "robots' challenge": http(403, "are you human", Content_Type="text/html"),
    "its page": http(200, "are you human", Content_Type="text/html"),
    "redirect": http(302, Location="https://elsewhere.example/"),
    "no HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
}


async def test_keys_that_cannot_be_used_prove_nobody(driver: Driver) -> None:
    for name, answer in UNUSABLE.items():
        async with publishing(driver, answer):
            code = await driver.sign_in()
            assert heard(await driver.redeem(code, **proof(driver.client_id))) == REFUSED, name


async def test_whatever_may_pass_is_answered_with_later(driver: Driver) -> None:
    for name, answer in PASSING.items():
        async with publishing(driver, answer):
            code = await driver.sign_in()
            assert heard(await driver.redeem(code, **proof(driver.client_id))) == LATER, name


def with_fetcher(dependencies: Dependencies, **changes: Any) -> httpx2.AsyncClient:
    """HTTP into the application whose fetcher of keys is another."""
    fetcher = DocumentFetcher(bytes_max=KEY_SET_BYTES_MAX, resolve=loopback_only, **changes)
    keys = replace(dependencies.client_keys, fetcher=fetcher)
    app = create_app(replace(dependencies, client_keys=keys))
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=app), base_url=ISSUER)


async def test_a_host_of_keys_that_says_nothing_is_given_up(
    driver: Driver, dependencies: Dependencies
) -> None:
    assert FETCH_SECONDS_MAX == 5.0
    async with publishing(driver, HANG):
        code = await driver.sign_in()
        driver.http = with_fetcher(dependencies, loopback_allowed=True, seconds_max=0.3)
        assert heard(await driver.redeem(code, **proof(driver.client_id))) == LATER


async def test_keys_at_a_forbidden_address_are_never_asked_for(
    driver: Driver, dependencies: Dependencies
) -> None:
    async with publishing(driver, key_set(RSA)) as keys:
        code = await driver.sign_in()
        driver.http = with_fetcher(dependencies, loopback_allowed=False)
        assert heard(await driver.redeem(code, **proof(driver.client_id))) == REFUSED

    assert keys.connections == 0


async def test_what_is_no_assertion_has_nothing_fetched(driver: Driver) -> None:
    async with publishing(driver, key_set(RSA)) as keys:
        await driver.authorize()
        for text in ("nonsense", "a.b.c", "e30.e30.AA", "x" * 9_000):
            shown = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": text}
            assert heard(await driver.refresh("unknown", **shown)) == REFUSED

    assert keys.connections == 0


async def test_one_host_is_asked_for_keys_so_often_a_minute(driver: Driver) -> None:
    async with scripted_site(http(404)) as keys:
        for number in range(HOST_FETCHES_PER_MINUTE_MAX + 2):
            driver.client_id = ""
            await driver.register(
                client_name=f"App {number}",
                token_endpoint_auth_method="private_key_jwt",
                jwks_uri=f"{keys.url}/{number}",
            )
            answer = await driver.refresh("unknown", **proof(driver.client_id))
            assert heard(answer) == LATER

    assert len(keys.requests) == HOST_FETCHES_PER_MINUTE_MAX


async def test_a_client_registers_with_its_keys_or_their_address(driver: Driver) -> None:
    given = {"keys": [RSA.as_dict(private=False)]}
    async with scripted_site(key_set(RSA)) as host:
        for member, value in (("jwks", given), ("jwks_uri", f"{host.url}/jwks")):
            echoed = await driver.register(
                token_endpoint_auth_method="private_key_jwt", **{member: value}
            )
            assert echoed["token_endpoint_auth_method"] == "private_key_jwt"
            assert echoed[member] == value
            code = await driver.sign_in()
            assert heard(await driver.redeem(code)) == REFUSED
            issued = await driver.redeem(code, **proof(driver.client_id))
            assert issued.status_code == 200, issued.text


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"jwks": {"keys": []}}, "jwks"),
        ({"jwks": {"keys": [EC.as_dict(private=True)]}}, "jwks"),
        ({"jwks": "keys"}, "jwks"),
        ({"jwks_uri": 7}, "jwks_uri"),
        ({"jwks_uri": "https://10.0.0.1/keys"}, "jwks_uri"),
        ({"jwks_uri": "https://app.example:8443/keys"}, "jwks_uri"),
        ({"jwks_uri": "ftp://app.example/keys"}, "jwks_uri"),
        ({"jwks_uri": "https://app.example/" + "x" * 600}, "jwks_uri"),
    ],
)
async def test_keys_that_could_never_be_used_are_not_registered(
    driver: Driver, members: dict[str, Any], fault: str
) -> None:
    metadata = {"token_endpoint_auth_method": "private_key_jwt", **members}
    answer = await driver.http.post("/register", json={"redirect_uris": [WEB_REDIRECT], **metadata})

    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_client_metadata")
    assert answer.json()["parameter"] == fault


async def test_who_names_no_keys_or_does_not_want_to_prove_itself_is_public(
    driver: Driver,
) -> None:
    for metadata in (
        {"token_endpoint_auth_method": "private_key_jwt"},
        {"token_endpoint_auth_method": "none", "jwks_uri": "https://app.example/keys"},
        {"jwks": {"keys": [RSA.as_dict(private=False)]}},
    ):
        echoed = await driver.register(**metadata)
        assert echoed["token_endpoint_auth_method"] == "none"
        assert not {"jwks", "jwks_uri"} & set(echoed)
        assert (await driver.redeem(await driver.sign_in())).status_code == 200
