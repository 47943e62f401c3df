"""What every endpoint answers while Postgres, KMS or Drupal is away: one table.

Clients throw their tokens away on ``invalid_grant``, ``invalid_client``, 401 and HTML, so an
outage is told as JSON ``503 temporarily_unavailable``, on the pages as a page, and nowhere else.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

import httpx2
import psycopg
import pytest

from functions.oauth.app import create_app
from functions.oauth.dependencies import Dependencies
from shared.circuit.guard import CircuitGuard
from shared.circuit.watches import OperationWatch, oauth_watch
from shared.discovery.security_headers import security_headers
from shared.errors.catalogue import CATALOGUE, ErrorCode
from shared.state.circuits import StoredCircuits
from shared.state.data_keys import StoredDataKeys
from shared.state.database import Database
from shared.upstream.drupal_oauth import DrupalOAuth
from shared.upstream.drupal_site import DrupalSite
from shared.vault import kms_data_keys
from shared.vault.kms_data_keys import KmsDataKeys
from shared.vault.token_vault import TokenVault
from tests.integration.oauth.driver import ISSUER, VERIFIER, Driver, onward, query
from tests.integration.oauth.places import Manner, empty_place
from tests.integration.oauth.visitor import Visitor

JSON, PAGE = "application/json", "text/html; charset=utf-8"
SHORT_SECONDS: Final = 0.1
"""What a dependency that hangs is waited for."""


class Dependency(StrEnum):
    """What can be away."""

    POSTGRES = "postgres"
    KMS = "kms"
    DRUPAL = "drupal"


Outage = tuple[Dependency, Manner]
Ask = Callable[[httpx2.AsyncClient], Awaitable[httpx2.Response]]

DATABASE, KEYS = ErrorCode.DATABASE_UNAVAILABLE, ErrorCode.KEY_SERVICE_UNAVAILABLE
SITE_AWAY, SITE_SLOW = ErrorCode.UPSTREAM_UNAVAILABLE, ErrorCode.UPSTREAM_TIMEOUT

BACK_CHANNEL = ("redemption", "refresh", "revocation", "registration")
PAGES = ("authorization", "consent", "callback", "account", "account_sign_in", "account_callback")
DOCUMENTS = ("server_metadata", "resource_metadata", "health")
WELL: Final[Mapping[str, int]] = {
    **dict.fromkeys(("authorization", "consent", "redemption", "refresh", "revocation"), 200),
    **dict.fromkeys(("account", "account_sign_in", *DOCUMENTS), 200),
    "registration": 201,
    "callback": 303,
    "account_callback": 303,
}
"""What each request is answered while nothing is away."""

AFFECTED: Final[Mapping[Outage, Mapping[str, ErrorCode]]] = {
    (Dependency.POSTGRES, Manner.REFUSED): dict.fromkeys(BACK_CHANNEL + PAGES, DATABASE),
    (Dependency.POSTGRES, Manner.HANGING): dict.fromkeys(BACK_CHANNEL + PAGES, DATABASE),
    (Dependency.KMS, Manner.REFUSED): {"callback": KEYS, "account_callback": KEYS},
    (Dependency.KMS, Manner.HANGING): {"callback": KEYS, "account_callback": KEYS},
    (Dependency.DRUPAL, Manner.REFUSED): {"callback": SITE_AWAY, "account_callback": SITE_AWAY},
    (Dependency.DRUPAL, Manner.HANGING): {"callback": SITE_SLOW, "account_callback": SITE_SLOW},
}
"""Who notices; everybody else is answered as if nothing were away."""


@dataclass(frozen=True)
class Prepared:
    """Requests that would all succeed, each once, in this order."""

    asks: Mapping[str, Ask]

    async def all(self, dependencies: Dependencies) -> dict[str, httpx2.Response]:
        """Every request to an application of these parts."""
        transport = httpx2.ASGITransport(app=create_app(dependencies))
        async with httpx2.AsyncClient(transport=transport, base_url=ISSUER) as http:
            return {name: await ask(http) for name, ask in self.asks.items()}


@pytest.fixture
async def prepared(driver: Driver) -> Prepared:
    """A client and a person in the middle of everything that can be done here."""
    driver.redirect_uri = "http://127.0.0.1:33418/callback"
    await driver.register()
    code = await driver.sign_in()
    tokens = (await driver.redeem(await driver.sign_in())).json()
    revoked = (await driver.redeem(await driver.sign_in())).json()
    await driver.authorize()
    callback = _came_back(driver, onward(await driver.decide()))
    await driver.authorize()
    page, cookie = dict(driver.page), {"cookie": f"__Host-dmcp_browser={driver.cookie}"}
    visitor = Visitor(driver.http, driver.upstream)
    await visitor.sign_in()
    visit = {"cookie": visitor._cookie()}
    account_callback = _came_back(driver, onward(await visitor.post("sign_in")))
    own = {"client_id": driver.client_id}
    redemption = {
        **own,
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": driver.redirect_uri,
        "code_verifier": VERIFIER,
    }
    refresh = {**own, "grant_type": "refresh_token", "refresh_token": tokens["refresh_token"]}
    resource_metadata = "/.well-known/oauth-protected-resource/mcp"
    return Prepared(
        {
            "authorization": _get("/authorize", driver.request(), {}),
            "consent": _post("/authorize", {**page, "decision": "allow"}, cookie),
            "callback": _get("/oauth/callback", callback, cookie),
            "redemption": _post("/token", redemption),
            "refresh": _post("/token", refresh),
            "revocation": _post("/revoke", {**own, "token": revoked["access_token"]}),
            "registration": lambda http: http.post(
                "/register", json={"redirect_uris": ["http://127.0.0.1/other"]}
            ),
            "account": _get("/account", {}, visit),
            "account_sign_in": _post("/account", {"action": "sign_in"}, visit),
            "account_callback": _get("/oauth/callback", account_callback, visit),
            "server_metadata": _get("/.well-known/oauth-authorization-server", {}, {}),
            "resource_metadata": _get(resource_metadata, {}, {}),
            "health": _get("/health/live", {}, {}),
        }
    )


def _came_back(driver: Driver, location: str) -> dict[str, str]:
    state = query(location)["state"]
    return {"code": driver.upstream.consent(state), "state": state}


def _get(path: str, parameters: Mapping[str, str], headers: Mapping[str, str]) -> Ask:
    return lambda http: http.get(path, params=dict(parameters), headers=dict(headers))


def _post(path: str, form: Mapping[str, str], headers: Mapping[str, str] | None = None) -> Ask:
    return lambda http: http.post(path, data=dict(form), headers=dict(headers or {}))


def without(dependencies: Dependencies, dependency: Dependency, port: int) -> Dependencies:
    """The same server, one of its dependencies at a place where nobody answers."""
    match dependency:
        case Dependency.POSTGRES:
            database = Database(
                f"host=127.0.0.1 port={port} dbname=away user=away",
                connect_timeout_seconds=SHORT_SECONDS,
                statement_timeout_seconds=SHORT_SECONDS,
            )
            return replace(dependencies, database=database, ride_out_seconds=SHORT_SECONDS)
        case Dependency.KMS:
            kms = KmsDataKeys(
                "any",
                connect_timeout_seconds=SHORT_SECONDS,
                read_timeout_seconds=SHORT_SECONDS,
                endpoint_url=f"http://127.0.0.1:{port}",
                region_name="eu-central-1",
            )
            keys = StoredDataKeys(dependencies.database)
            vault = TokenVault(stage="local", kms=kms, keys=keys, cache_seconds=300)
            return replace(dependencies, vault=vault)
        case Dependency.DRUPAL:
            site = DrupalSite(base_url=f"http://127.0.0.1:{port}", client_id="drupalize-mcp")
            return replace(
                dependencies, upstream=DrupalOAuth(site), upstream_timeout_seconds=SHORT_SECONDS
            )


@pytest.mark.parametrize(("dependency", "manner"), AFFECTED)
async def test_an_outage_is_told_as_one_and_only_to_whom_it_concerns(
    dependency: Dependency,
    manner: Manner,
    prepared: Prepared,
    dependencies: Dependencies,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)  # the SDK would wait between them
    affected = AFFECTED[dependency, manner]
    async with empty_place(manner) as port:
        answers = await prepared.all(without(dependencies, dependency, port))

    expected = {name: 503 if name in affected else status for name, status in WELL.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == expected
    for name, code in affected.items():
        _says_try_again(answers[name], code, kind=JSON if name in BACK_CHANNEL else PAGE)
    for name, answer in answers.items():
        assert answer.headers["x-content-type-options"] == "nosniff", name


def _says_try_again(answer: httpx2.Response, code: ErrorCode, *, kind: str) -> None:
    entry = CATALOGUE[code]
    assert answer.headers["content-type"] == kind
    assert answer.headers["retry-after"] == str(entry.retry_after_seconds)
    assert answer.headers["cache-control"] == "no-store"
    assert set(security_headers(https=True)) <= set(answer.headers)
    if kind == JSON:
        body = answer.json()
        assert (body["error"], body["code"]) == ("temporarily_unavailable", code.value)
    else:
        assert entry.message in answer.text


@pytest.mark.parametrize("dependency", [Dependency.POSTGRES, Dependency.KMS])
async def test_what_an_outage_held_up_works_after_it(
    dependency: Dependency,
    prepared: Prepared,
    dependencies: Dependencies,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(kms_data_keys, "ATTEMPTS_MAX", 1)
    affected = AFFECTED[dependency, Manner.REFUSED]
    held_up = Prepared({name: prepared.asks[name] for name in prepared.asks if name in affected})
    async with empty_place(Manner.REFUSED) as port:
        await held_up.all(without(dependencies, dependency, port))

    answers = await held_up.all(dependencies)

    assert {name: answer.status_code for name, answer in answers.items()} == {
        name: WELL[name] for name in affected
    }


async def test_while_the_sites_circuit_is_open_sign_ins_say_when_to_come_back_and_send_nothing(
    prepared: Prepared, dependencies: Dependencies, database_admin: psycopg.Connection[Any]
) -> None:
    database_admin.execute(
        "INSERT INTO app.circuits (dependency, state, changed_at)"
        " VALUES ('drupal_oauth', 'forced_open', app.now())"
    )
    circuits = CircuitGuard(fleet=StoredCircuits(dependencies.database))
    sent: list[str] = []
    upstream = DrupalOAuth(
        DrupalSite(base_url="http://127.0.0.1:1", client_id="drupalize-mcp"),
        watch=_noting(oauth_watch(circuits), sent),
    )
    affected = AFFECTED[Dependency.DRUPAL, Manner.REFUSED]

    answers = await prepared.all(replace(dependencies, upstream=upstream))

    assert not sent
    expected = {name: 503 if name in affected else status for name, status in WELL.items()}
    assert {name: answer.status_code for name, answer in answers.items()} == expected
    for name in affected:
        assert CATALOGUE[SITE_AWAY].message in answers[name].text
        assert int(answers[name].headers["retry-after"]) > 0


def _noting(watch: OperationWatch, sent: list[str]) -> OperationWatch:
    """``watch``, and a list of what it lets out."""

    @asynccontextmanager
    async def noting(operation: str, *, timeout_seconds: float) -> AsyncIterator[None]:
        async with watch(operation, timeout_seconds=timeout_seconds):
            sent.append(operation)
            yield

    return noting
