"""One person signed in through the composed functions, with a gate before each part.

Everything is real but for the site and the key service, which are played; each action runs in
an environment of its own, so that no cell lives on what another one left in memory.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

import httpx
import httpx2
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
from shared.settings import (
    McpEndpointFunctionSettings,
    OAuthFunctionSettings,
    TokenRefreshFunctionSettings,
)
from shared.state.roles import AppRole
from tests.integration.oauth.driver import (
    ISSUER,
    LOOPBACK_REDIRECT,
    MCP_URL,
    Driver,
    onward,
    query,
)
from tests.integration.oauth.upstream_stub import UpstreamStub
from tests.integration.outage_matrix.faults import (
    OVERSIZED_BYTES,
    SLOW_SECONDS,
    Away,
    Fault,
    Gate,
    http_gate,
    postgres_gate,
)
from tests.support.scripted_site import ScriptedSite, http, scripted_site

HANG_SECONDS: Final = "0.15"
"""What a part that hangs is waited for."""
PLANNED_MAX: Final = 60
SEARCH_METHOD: Final = "dme_mcp.search_content"

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


@dataclass(kw_only=True)
class MatrixWorld:
    """The parts, and what the person and their client hold."""

    site: RunningFakeDrupal
    client_host: ScriptedSite
    gates: Mapping[Away, Gate]
    settings: dict[str, str]
    driver: Driver
    tokens: dict[str, Any]
    stack: AsyncExitStack
    waiting: dict[str, str]
    """The query of a callback that the site has already sent the browser back with."""
    document_id: str = ""

    def impose(self, away: Away, fault: Fault) -> None:
        """From now on ``away`` is away in this manner."""
        if fault is Fault.HANG or (away, fault) == (Away.SEARCH, Fault.HALF):
            self.settings.update(dict.fromkeys(_TIMEOUTS.get(away, ()), HANG_SECONDS))
        if away in self.gates:
            self.gates[away].fault = fault
        elif away is Away.SEARCH and fault in _ENGINE_FAULTS:
            self.site.control.search_is_down(_ENGINE_FAULTS[fault])
        else:
            self._break_the_site(away, fault)

    def heal(self) -> None:
        """Everything is back."""
        for gate in self.gates.values():
            gate.fault, gate.calls = None, 0
        self.site.control.clear_faults()
        self.site.control.search_is_down(None)

    def begin_action(self, away: Away, fault: Fault) -> None:
        """The fault anew for each action: its first call meets it."""
        self.heal()
        self.impose(away, fault)

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

    def oauth(self) -> oauth.Parts:
        """An environment of the authorization server."""
        environment = self._environment(AppRole.OAUTH)
        parts = oauth.compose(OAuthFunctionSettings.from_environment(environment))
        self.stack.push_async_callback(parts.opened.close)
        self.stack.push_async_callback(parts.readiness.probe.close)
        return parts

    def mcp_endpoint(self) -> mcp_endpoint.Parts:
        """An environment of the resource server."""
        environment = self._environment(AppRole.MCP_ENDPOINT)
        parts = mcp_endpoint.compose(McpEndpointFunctionSettings.from_environment(environment))
        self.stack.push_async_callback(parts.close)
        return parts

    def token_refresh(self) -> token_refresh.Parts:
        """An environment of the background refresher."""
        environment = self._environment(AppRole.TOKEN_REFRESH)
        parts = token_refresh.compose(TokenRefreshFunctionSettings.from_environment(environment))
        self.stack.push_async_callback(parts.opened.close)
        return parts


_TIMEOUTS: Final = {
    Away.POSTGRES: ("DATABASE_CONNECT_TIMEOUT_SECONDS",),
    Away.KMS: ("KMS_CONNECT_TIMEOUT_SECONDS", "KMS_READ_TIMEOUT_SECONDS"),
    Away.DRUPAL_RPC: ("DRUPAL_RPC_TIMEOUT_SECONDS",),
    Away.DRUPAL_OAUTH: ("DRUPAL_OAUTH_TIMEOUT_SECONDS",),
    Away.SEARCH: ("DRUPAL_RPC_TIMEOUT_SECONDS",),
}
_ENGINE_FAULTS: Final = {
    Fault.REFUSED: SearchOutage.UNREACHABLE,
    Fault.SERVER_ERROR: SearchOutage.INTERNAL_ERROR,
}


def client_of(parts: oauth.Parts) -> httpx2.AsyncClient:
    """HTTP straight into the authorization server."""
    return httpx2.AsyncClient(transport=httpx2.ASGITransport(app=parts.server.app), base_url=ISSUER)


@asynccontextmanager
async def running_matrix_world(
    database_url: str, kms_key_id: str, kms_endpoint: str
) -> AsyncIterator[MatrixWorld]:
    """Everything well, one member signed in, a second sign-in waiting at our callback."""
    place = conninfo_to_dict(database_url)
    async with AsyncExitStack() as stack:
        enter = stack.enter_async_context
        site = await enter(
            running_fake_drupal(redirect_uris=(f"{ISSUER}/oauth/callback",), automatic=True)
        )
        client_host = await enter(scripted_site(b""))
        gates = {
            Away.POSTGRES: await enter(
                postgres_gate(str(place.get("host")), int(place.get("port") or 5432))
            ),
            Away.KMS: await enter(http_gate(kms_endpoint)),
            Away.CLIENT_HOST: await enter(http_gate(client_host.url)),
        }
        stack.enter_context(pytest.MonkeyPatch.context()).setenv(
            "AWS_ENDPOINT_URL_KMS", gates[Away.KMS].url
        )
        world = MatrixWorld(
            site=site,
            client_host=client_host,
            gates=gates,
            settings=_settings(site, database_url=database_url, kms_key_id=kms_key_id),
            driver=Driver(http=httpx2.AsyncClient(), upstream=UpstreamStub()),
            tokens={},
            stack=stack,
            waiting={},
        )
        await _sign_in(world)
        yield world


def _settings(site: RunningFakeDrupal, *, database_url: str, kms_key_id: str) -> dict[str, str]:
    return {
        "STAGE": "local",
        "ISSUER_URL": ISSUER,
        "MCP_URL": MCP_URL,
        "DATABASE_URL": database_url,
        "KMS_KEY_ID": kms_key_id,
        "DRUPAL_BASE_URL": site.url,
        "DRUPAL_CLIENT_ID": site.client.client_id,
        "DRUPAL_CLIENT_SECRET": site.client.secret or "",
        "DRUPAL_SCOPES": " ".join(site.scopes),
        "DRUPAL_ANSWER_BYTES_MAX": str(OVERSIZED_BYTES // 2),
    }


async def _sign_in(world: MatrixWorld) -> None:
    driver = world.driver
    driver.redirect_uri = LOOPBACK_REDIRECT  # consent to these is asked for every time
    async with client_of(world.oauth()) as driver.http, httpx.AsyncClient() as at_site:
        browser = ScriptedBrowser(at_site)
        await driver.register()
        back = await driver.open("/oauth/callback", await _through_the_site(driver, browser))
        assert back.status_code == 303, back.text
        redeemed = await driver.redeem(query(back.headers["location"])["code"])
        world.tokens = redeemed.json()
        world.waiting = await _through_the_site(driver, browser)
        await driver.authorize()
    world.document_id = f"{world.gates[Away.CLIENT_HOST].url}/client.json"
    document = {
        "client_id": world.document_id,
        "client_name": "Paper",
        "redirect_uris": [driver.redirect_uri],
    }
    world.client_host.answers[:] = [
        http(200, json.dumps(document), Content_Type="application/json")
    ]


async def _through_the_site(driver: Driver, browser: ScriptedBrowser) -> dict[str, str]:
    step = await driver.authorize()
    if step.status_code == 200:
        step = await driver.decide()
    back = await browser.log_in_and_allow(onward(step), name=MEMBER.name, password=MEMBER.password)
    return query(back)
