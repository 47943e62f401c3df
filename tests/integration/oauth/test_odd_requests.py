"""Requests made of odd pieces: each is answered in its endpoint's form, and none by a crash."""

import json
import random
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote_plus, urlsplit

import httpx2
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from tests.integration.oauth.driver import FORM, LOOPBACK_REDIRECT, MCP_URL, VERIFIER, Driver
from tests.integration.oauth.echoes import get_raw
from tests.support.redirect_abuse import ABUSED_REDIRECTS

REQUESTS = 120
"""Of each kind; the same ones at every run."""
TEXTS = [
    "",
    "\x00",
    "\ud800".encode("utf-8", "surrogatepass").decode("latin-1"),
    "null",
    "-1",
    "9" * 400,
    "\u202e\u200b",
    "\U0001f600" * 20,
    "a" * 3_000,
    "code",
    "S256",
    "authorization_code",
    "refresh_token",
    "dmcp_rt_" + "A" * 43,
    "dmcp_ac_" + "A" * 43,
    "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.AAAA",  # pragma: allowlist secret
    "https://claude.ai:444/x",
    MCP_URL,
    VERIFIER,
    LOOPBACK_REDIRECT,
]
NAMES = [
    "response_type",
    "response_mode",
    "client_id",
    "redirect_uri",
    "state",
    "scope",
    "resource",
    "code_challenge",
    "code_challenge_method",
    "grant_type",
    "code",
    "code_verifier",
    "refresh_token",
    "token",
    "token_type_hint",
    "client_assertion",
    "client_assertion_type",
    "client_secret",
    "decision",
    "consent",
    "sign_in",
    "action",
]
MEMBERS = [
    "redirect_uris",
    "client_name",
    "client_uri",
    "grant_types",
    "response_types",
    "scope",
    "token_endpoint_auth_method",
    "jwks",
    "jwks_uri",
    "software_id",
    "application_type",
]
VALUES: list[Any] = [
    None,
    True,
    0,
    -1.5,
    10**30,
    [],
    {},
    [[]],
    [None],
    {"keys": []},
    {"keys": [{"kty": "EC", "kid": ["x"]}]},
    {"keys": [{"kty": "RSA", "n": "AQAB", "e": "AQAB", "kid": "\x00"}]},
    ["https://app.example/"],
    "private_key_jwt",
    "\x00",
    "\u202e",
]


def odd_forms(chance: random.Random, known: dict[str, str]) -> Iterator[bytes]:
    """URL-encoded pairs, some of them as they should be."""
    texts = [*TEXTS, *(uri for uris in ABUSED_REDIRECTS.values() for uri in uris[:1])]
    for _ in range(REQUESTS):
        pairs = [pair for pair in known.items() if chance.random() < 0.8]
        pairs += [(chance.choice(NAMES), chance.choice(texts)) for _ in range(chance.randint(0, 3))]
        chance.shuffle(pairs)
        yield "&".join(f"{quote_plus(name)}={quote_plus(text)}" for name, text in pairs).encode()


@pytest.fixture
async def client(driver: Driver) -> Driver:
    driver.redirect_uri = LOOPBACK_REDIRECT
    await driver.register()
    return driver


async def test_authorization_requests_lead_nowhere_but_to_the_client_or_the_site(
    client: Driver, dependencies: Dependencies
) -> None:
    app, chance = create_app(dependencies), random.Random(1)  # noqa: S311 - the same at every run
    for form in odd_forms(chance, client.request()):
        answer = await get_raw(app, "/authorize", form)
        assert answer.status_code in {200, 303, 400, 429}, (form, answer.text)
        if answer.status_code == 303:
            assert urlsplit(answer.headers["location"]).netloc == urlsplit(LOOPBACK_REDIRECT).netloc


@pytest.mark.parametrize("path", ["/token", "/revoke", "/authorize", "/account"])
async def test_forms_are_answered_in_the_form_of_their_endpoint(client: Driver, path: str) -> None:
    kinds = {"/token": "application/json", "/revoke": "application/json"}
    known = {
        "grant_type": "authorization_code",
        "code": "dmcp_ac_" + "A" * 43,
        "client_id": client.client_id,
        "redirect_uri": LOOPBACK_REDIRECT,
        "code_verifier": VERIFIER,
    }
    chance = random.Random(path)  # noqa: S311 - the same at every run
    for form in odd_forms(chance, known):
        answer = await client.http.post(path, content=form, headers=FORM)
        assert answer.status_code < 500, (form, answer.text)
        assert answer.headers["content-type"].startswith(kinds.get(path, "text/html"))
        assert "location" not in answer.headers


async def test_registrations_are_taken_or_refused(driver: Driver) -> None:
    chance = random.Random(3)  # noqa: S311 - the same at every run
    for _ in range(REQUESTS):
        metadata = {"redirect_uris": ["https://app.example/callback"]}
        metadata |= {chance.choice(MEMBERS): chance.choice(VALUES) for _ in range(3)}
        answer: httpx2.Response = await driver.http.post(
            "/register",
            content=json.dumps(metadata).encode(),
            headers={"content-type": "application/json"},
        )
        assert answer.status_code in {201, 400}, (metadata, answer.text)
        assert None not in answer.json().values()
