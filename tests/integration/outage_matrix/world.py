"""One person signed in through the composed functions, with a gate before each part.

Everything is real but for the site and the key service, which are played; each action runs in
an environment of its own, so that no cell lives on what another one left in memory. Sessions and
grants go through all the cells of one part: none of them may end.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import httpx
import httpx2
import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

import functions.mcp_endpoint.composition as mcp_endpoint
import functions.oauth.composition as oauth
import functions.token_refresh.composition as token_refresh
from scripts.fake_drupal.accounts import MEMBER
from scripts.fake_drupal.behaviours import SearchOutage
from scripts.fake_drupal.browser import ScriptedBrowser
from scripts.fake_drupal.faults import Fault as SiteFault
from scripts.fake_drupal.faults import FaultKind, RouteClass
from scripts.fake_drupal.running import RunningFakeDrupal, running_fake_drupal
from scripts.outages import Away, Fault
from shared.circuit.guard import CircuitGuard
from shared.circuit.rules import RULES, CircuitRules
from shared.domain.circuits import Dependency
from shared.settings import (
    McpEndpointFunctionSettings,
    OAuthFunctionSettings,
    TokenRefreshFunctionSettings,
)
from shared.state.roles import AppRole
from shared.workflows import refresh_grant
from tests.integration.oauth.driver import (
    ISSUER,
    LOOPBACK_REDIRECT,
    MCP_URL,
    Driver,
    onward,
    query,
)
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.integration.outage_matrix.gates import (
    OVERSIZED_BYTES,
    SLOW_SECONDS,
    Gate,
    http_gate,
    postgres_gate,
)
from tests.integration.outage_matrix.patience import (
    HANG_SECONDS,
    REFRESH_SECONDS,
    impatience,
    quick,
)
from tests.integration.outage_matrix.told import Told, listening
from tests.support.clock import DatabaseClock
from tests.support.scripted_site import ScriptedSite, http, scripted_site

PLANNED_MAX: Final = 60
ASKED_WAIT_SECONDS: Final = 9
"""What a site that limits us asks for: longer than the deadline can hold, so nobody waits."""
SEARCH_METHOD: Final = "dme_mcp.search_content"
REPLAY_SECONDS: Final = 60
GRANTS: Final = 5
"""As many as one tick refreshes at a time."""

SITE_FAULTS: Final[Mapping[Fault, FaultKind]] = {
    Fault.REFUSED: FaultKind.CLOSE_BEFORE,
    Fault.HANG: FaultKind.HANG,
    Fault.SERVER_ERROR: FaultKind.ERROR_HTML,
    Fault.RATE_LIMITED: FaultKind.RATE_LIMITED,
    Fault.SLOW: FaultKind.DELAY,
    Fault.HALF: FaultKind.ERROR_HTML,
    Fault.TRUNCATED: FaultKind.TRUNCATED,
    Fault.OVERSIZED: FaultKind.OVERSIZED,
    Fault.HTML: FaultKind.PROXY_PAGE,
    Fault.REDIRECT: FaultKind.INSTALL_REDIRECT,
}
_TIMEOUTS: Final = {
    Away.POSTGRES: ("DATABASE_CONNECT_TIMEOUT_SECONDS",),
    Away.KMS: ("KMS_CONNECT_TIMEOUT_SECONDS", "KMS_READ_TIMEOUT_SECONDS"),
    Away.DRUPAL_RPC: ("DRUPAL_RPC_TIMEOUT_SECONDS",),
    Away.DRUPAL_OAUTH: ("DRUPAL_OAUTH_TIMEOUT_SECONDS",),
    Away.SEARCH: ("DRUPAL_RPC_TIMEOUT_SECONDS",),
    Away.CLIENT_HOST: (),
}
_ENGINE_FAULTS: Final = {
    Fault.REFUSED: SearchOutage.UNREACHABLE,
    Fault.SERVER_ERROR: SearchOutage.INTERNAL_ERROR,
}
_SHORT_MEMORY: Final = """
    DELETE FROM app.content_shown; DELETE FROM app.content_bodies; DELETE FROM app.kept_searches;
    DELETE FROM app.circuits; DELETE FROM app.circuit_calls;
    DELETE FROM app.rate_limits; DELETE FROM app.calls_in_flight;
    DELETE FROM app.client_documents; DELETE FROM app.client_document_hosts
"""
"""What the product remembers of the cell before, and would answer this one from."""
_ALL_DUE: Final = """
    UPDATE app.grants SET refresh_at = app.now() - interval '1 second', lease_owner = NULL,
           lease_until = NULL
     WHERE grant_id IN (SELECT grant_id FROM app.grants WHERE status = 'active'
                         ORDER BY grant_id LIMIT 5)
"""
_ONE_DUE: Final = """
    UPDATE app.grants SET refresh_at = NULL
     WHERE grant_id <> (SELECT grant_id FROM app.grants ORDER BY grant_id LIMIT 1)
"""


@dataclass
class Clocks:
    """The time of the database and of every circuit: both stand still until they are moved."""

    database: DatabaseClock
    circuit_seconds: float = 0.0

    def __call__(self) -> float:
        """The time of a circuit."""
        return self.circuit_seconds

    def advance(self, seconds: float) -> None:
        """Move both on."""
        self.circuit_seconds += seconds
        self.database.advance(seconds)


@dataclass(kw_only=True)
class MatrixWorld:
    """The parts, and what the person and their client hold."""

    site: RunningFakeDrupal
    client_host: ScriptedSite
    gates: Mapping[Away, Gate]
    settings: dict[str, str]
    driver: Driver
    browser: ScriptedBrowser
    admin: psycopg.Connection[Any]
    clocks: Clocks
    told: Told
    tokens: dict[str, Any] = field(default_factory=dict)
    waiting: dict[str, str] = field(default_factory=dict)
    """The query of a callback that the site has already sent the browser back with."""
    document_id: str = ""
    rules: Mapping[Dependency, CircuitRules] = field(default_factory=lambda: RULES)
    patch: pytest.MonkeyPatch = field(default_factory=pytest.MonkeyPatch)
    """For times that have no setting; undone with the world."""
    _plain: dict[str, str] = field(default_factory=dict)

    async def begin_row(self, away: Away, fault: Fault) -> None:
        """Everything well, a sign-in at our callback and one at its consent, grants to be due."""
        self.heal()
        self.admin.execute(_SHORT_MEMORY)
        async with self.oauth() as parts, client_of(parts) as self.driver.http:
            self.waiting = await through_the_site(self.driver, self.browser)
            await self.driver.authorize()
        if fault is Fault.HANG or (away, fault) == (Away.SEARCH, Fault.HALF):
            self.settings.update(dict.fromkeys(_TIMEOUTS[away], str(HANG_SECONDS)))
            self.rules = {name: quick(rules) for name, rules in RULES.items()}
        if (away, fault) == (Away.DRUPAL_OAUTH, Fault.HANG):
            self.patch.setattr(refresh_grant, "REFRESH_DEADLINE_SECONDS", REFRESH_SECONDS)
        self.told.take()

    def impose(self, away: Away, fault: Fault) -> None:
        """The fault anew for each action: its first call meets it; nothing else is away."""
        self.heal_parts()
        self.impose_too(away, fault)

    def impose_too(self, away: Away, fault: Fault) -> None:
        """The fault besides those that are there already."""
        if away in self.gates:
            self.gates[away].fault = fault
        elif away is Away.SEARCH and fault in _ENGINE_FAULTS:
            self.site.control.search_is_down(_ENGINE_FAULTS[fault])
        else:
            self._break_the_site(away, fault)

    def heal_parts(self) -> None:
        """Everything is back; who was given little time still has little."""
        for gate in self.gates.values():
            gate.fault, gate.calls = None, 0
        self.site.control.clear_faults()
        self.site.control.search_is_down(None)

    def heal(self) -> None:
        """Everything is back, and has all its time."""
        self.heal_parts()
        self.patch.undo()
        self.settings.update(self._plain)
        self.rules = RULES

    def calls_to(self, away: Away) -> int:
        """How often the part was reached since the fault was imposed or healed."""
        if away in self.gates:
            return self.gates[away].calls
        return len(self.site.control.requests("token" if away is Away.DRUPAL_OAUTH else "jsonrpc"))

    def make_due(self, *, all_of_them: bool = False) -> None:
        """Have the next tick find one grant, or all."""
        self.admin.execute(_ALL_DUE)
        if not all_of_them:
            self.admin.execute(_ONE_DUE)

    def _break_the_site(self, away: Away, fault: Fault) -> None:
        route = RouteClass.TOKEN if away is Away.DRUPAL_OAUTH else RouteClass.JSONRPC
        halves = fault is Fault.HALF
        for number in range(PLANNED_MAX if halves else 1):
            self.site.control.plan(
                SiteFault(
                    kind=FaultKind.HANG if away is Away.SEARCH and halves else SITE_FAULTS[fault],
                    route=route,
                    times=1 if halves else PLANNED_MAX,
                    skip=number if halves else 0,
                    milliseconds=int(SLOW_SECONDS * 1_000) if fault is Fault.SLOW else 0,
                    size_bytes=OVERSIZED_BYTES,
                    retry_after_seconds=ASKED_WAIT_SECONDS,
                    rpc_method=SEARCH_METHOD if away is Away.SEARCH else None,
                )
            )

    def _environment(self, role: AppRole) -> dict[str, str]:
        url = make_conninfo(
            self.settings["DATABASE_URL"],
            user=role.value,
            host="127.0.0.1",
            port=self.gates[Away.POSTGRES].port,
        )
        return {**self.settings, "DATABASE_URL": url}

    @asynccontextmanager
    async def oauth(self) -> AsyncIterator[oauth.Parts]:
        """An environment of the authorization server."""
        environment = self._environment(AppRole.OAUTH)
        parts = oauth.compose(OAuthFunctionSettings.from_environment(environment))
        try:
            yield parts
        finally:
            await parts.readiness.probe.close()
            await parts.opened.close()

    @asynccontextmanager
    async def mcp_endpoint(self) -> AsyncIterator[mcp_endpoint.Parts]:
        """An environment of the resource server."""
        environment = self._environment(AppRole.MCP_ENDPOINT)
        parts = mcp_endpoint.compose(McpEndpointFunctionSettings.from_environment(environment))
        try:
            yield parts
        finally:
            await parts.close()

    @asynccontextmanager
    async def token_refresh(self) -> AsyncIterator[token_refresh.Parts]:
        """An environment of the background refresher."""
        environment = self._environment(AppRole.TOKEN_REFRESH)
        parts = token_refresh.compose(TokenRefreshFunctionSettings.from_environment(environment))
        try:
            yield parts
        finally:
            await parts.opened.close()


def client_of(parts: oauth.Parts) -> httpx2.AsyncClient:
    """HTTP straight into the authorization server."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=parts.server.app), base_url=ISSUER)


@asynccontextmanager
async def running_matrix_world(
    database_url: str, admin: psycopg.Connection[Any], *, kms_key_id: str, kms_endpoint: str
) -> AsyncIterator[MatrixWorld]:
    """Everything well, one member signed in by several clients."""
    place = conninfo_to_dict(database_url)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        site = await enter(
            running_fake_drupal(redirect_uris=(f"{ISSUER}/oauth/callback",), automatic=True)
        )
        # As a site with the module that answers a repeated refresh as it did the first time.
        site.site.behaviours.refresh_replay_seconds = REPLAY_SECONDS
        client_host = await enter(scripted_site(b""))
        gates = {
            Away.POSTGRES: await enter(
                postgres_gate(str(place.get("host")), int(place.get("port") or 5432))
            ),
            Away.KMS: await enter(http_gate(kms_endpoint)),
            Away.CLIENT_HOST: await enter(http_gate(client_host.url)),
        }
        settings = _settings(site, database_url=database_url, kms_key_id=kms_key_id)
        database_clock = DatabaseClock(admin)
        database_clock.stop()
        stack.callback(database_clock.restore)
        world = MatrixWorld(
            site=site,
            client_host=client_host,
            gates=gates,
            settings=settings,
            driver=Driver(http=httpx2.AsyncClient(), upstream=UpstreamStub()),
            browser=ScriptedBrowser(await enter(httpx.AsyncClient())),
            admin=admin,
            clocks=Clocks(database_clock),
            told=stack.enter_context(listening()),
            _plain=dict(settings),
        )

        def guard_of(**given: Any) -> CircuitGuard:
            return CircuitGuard(**given, rules=world.rules, clock=world.clocks)

        stack.enter_context(impatience(world.gates[Away.KMS].url, guard_of))
        stack.callback(world.patch.undo)
        await _sign_in(world)
        yield world


def _settings(site: RunningFakeDrupal, *, database_url: str, kms_key_id: str) -> dict[str, str]:
    return {
        "STAGE": "local",
        "ISSUER_URL": ISSUER,
        "MCP_URL": MCP_URL,
        "DATABASE_URL": database_url,
        "DATABASE_CONNECT_TIMEOUT_SECONDS": "2",
        "CALLS_IN_FLIGHT_MAX": "100",
        "KMS_KEY_ID": kms_key_id,
        "KMS_CONNECT_TIMEOUT_SECONDS": "1",
        "KMS_READ_TIMEOUT_SECONDS": "2",
        "DRUPAL_BASE_URL": site.url,
        "DRUPAL_CLIENT_ID": site.client.client_id,
        "DRUPAL_CLIENT_SECRET": site.client.secret or "",
        "DRUPAL_SCOPES": " ".join(site.scopes),
        "DRUPAL_RPC_TIMEOUT_SECONDS": "8",
        "DRUPAL_OAUTH_TIMEOUT_SECONDS": "8",
        "DRUPAL_ANSWER_BYTES_MAX": str(OVERSIZED_BYTES // 2),
    }


async def _sign_in(world: MatrixWorld) -> None:
    driver = world.driver
    driver.redirect_uri = LOOPBACK_REDIRECT  # consent to these is asked for every time
    async with world.oauth() as parts, client_of(parts) as driver.http:
        await driver.register()
        for _ in range(GRANTS):
            waiting = await through_the_site(driver, world.browser)
            back = await driver.open("/oauth/callback", waiting)
            assert back.status_code == 303, back.text
            redeemed = await driver.redeem(query(back.headers["location"])["code"])
            world.tokens = redeemed.json()
    world.document_id = f"{world.gates[Away.CLIENT_HOST].url}/client.json"
    document = {
        "client_id": world.document_id,
        "client_name": "Paper",
        "redirect_uris": [driver.redirect_uri],
    }
    world.client_host.answers[:] = [
        http(200, json.dumps(document), Content_Type="application/json")
    ]


async def through_the_site(driver: Driver, browser: ScriptedBrowser) -> dict[str, str]:
    """From the client's wish to the query with which the site sends the browser back."""
    step = await driver.authorize()
    if step.status_code == 200:
        step = await driver.decide()
    back = await browser.log_in_and_allow(onward(step), name=MEMBER.name, password=MEMBER.password)
    return query(back)
