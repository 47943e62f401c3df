"""In-memory pieces around the real app and the real SDK: a bearer table, a site, a usage list."""

import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from urllib.parse import urlsplit

import httpx2
from mcp import Client
from mcp.client.session import ElicitationFnT
from mcp.client.streamable_http import streamable_http_client

from functions.mcp_endpoint.account_link import AccountLinks
from functions.mcp_endpoint.admission import AdmissionRules, Turns
from functions.mcp_endpoint.app import McpEndpoint
from functions.mcp_endpoint.bearer import BearerCheck, Challenges
from functions.mcp_endpoint.exchange import ExchangeParts
from functions.mcp_endpoint.mcp_server import McpProtocol, Offer, build_server
from functions.mcp_endpoint.permissions import Permissions
from functions.mcp_endpoint.prompts import build_prompts
from functions.mcp_endpoint.resources import Resources
from functions.mcp_endpoint.site_catalogue import SiteCatalogue
from functions.mcp_endpoint.tool_calls import ToolCalls
from functions.mcp_endpoint.tool_errors import PersonPages
from functions.mcp_endpoint.toolbox import Toolbox
from functions.mcp_endpoint.tools.catalogue import ToolCatalogue, build_catalogue
from functions.mcp_endpoint.tools.content_tools import ContentTools
from functions.mcp_endpoint.tools.kept_searches import KeptSearches
from functions.mcp_endpoint.tools.shown_content import ShownContent
from functions.mcp_endpoint.tools.site_requests import SiteRequests
from functions.mcp_endpoint.tools.site_tools import SiteToolRunner
from shared.domain.circuits import FleetView
from shared.domain.grants import AuthenticatedCall, Grant, GrantStatus, SealedPair
from shared.domain.identifiers import (
    ClientId,
    GrantId,
    SessionId,
    UpstreamSubject,
    UserId,
    new_id,
)
from shared.domain.scopes import SCOPES_OFFERED
from shared.domain.tokens import TokenHash, TokenKind, hash_token, mint
from shared.observability.request_context import remaining_seconds
from shared.state.calls import Admission, CallRecord, EndedCall, UsageRow
from tests.support.serving import serving
from tests.unit.mcp_endpoint.stand_ins import RULES, Abilities, Copies, Lists, Site, a_readiness

T = TypeVar("T")

ISSUER = "https://oauth.example.org"
MEMBERSHIP_URL = "https://site.example.org/pricing"
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MODES = ("auto", "legacy", "2026-07-28")


def a_call(**changes: Any) -> AuthenticatedCall:
    """A live call of a person with every permission."""
    grant = Grant(
        grant_id=GrantId(new_id()),
        user_id=UserId(new_id()),
        client_id=ClientId("client-1"),
        subject=UpstreamSubject("42"),
        user_salt=b"s" * 32,
        status=GrantStatus.ACTIVE,
        pair=SealedPair(ciphertext=b"sealed", key_generation=1),
        pair_generation=1,
        access_expires_at=NOW + timedelta(minutes=5),
        suspended_until=None,
    )
    call = AuthenticatedCall(
        session_id=SessionId(new_id()),
        client_id=ClientId("client-1"),
        client_name="Test client",
        scopes=SCOPES_OFFERED,
        session_expires_at=NOW + timedelta(days=90),
        grant=grant,
        now=NOW,
    )
    return replace(call, **changes)


class Bearers:
    """Access tokens that the database knows."""

    def __init__(self, resource: str) -> None:
        self.resource = resource
        self.records: dict[TokenHash, CallRecord] = {}
        self.lookups = 0
        self.asked: list[Admission | None] = []
        self.outage: Exception | None = None

    def issue(self, call: AuthenticatedCall | None = None, /, **changes: Any) -> str:
        """A token for ``call``, its record changed as told."""
        call = call or a_call()
        record = CallRecord(
            now=NOW,
            token_expires_at=NOW + timedelta(hours=8),
            resource=self.resource,
            session_id=call.session_id,
            session_ended=False,
            grant_id=call.grant.grant_id,
            grant_ended=False,
            call=call,
            circuits=FleetView(checked_at=NOW, circuits={}),
        )
        token = mint(TokenKind.ACCESS)
        self.records[hash_token(token)] = replace(record, **changes)
        return token

    async def find(self, token_hash: TokenHash, admission: Admission | None) -> CallRecord | None:
        """What the database would answer."""
        self.lookups += 1
        self.asked.append(admission)
        if self.outage is not None:
            raise self.outage
        record = self.records.get(token_hash)
        if record is None or admission is not None:
            return record
        return replace(record, refusal=None, wait_seconds=None)


@dataclass
class Endpoint:
    """The served app with its pieces."""

    url: str
    bearers: Bearers
    site: Site
    app: McpEndpoint
    catalogue: ToolCatalogue
    site_catalogue: SiteCatalogue
    lists: Lists
    copies: Copies
    abilities: Abilities
    protocol: McpProtocol
    usage: list[UsageRow] = field(default_factory=list)
    ended: list[EndedCall] = field(default_factory=list)
    usage_failure: Exception | None = None
    transport: httpx2.AsyncBaseTransport | None = None
    """In place of a socket, where no bytes need to arrive before the answer is whole."""

    async def close_call(self, ended: EndedCall) -> None:
        """Keep the row, or fail."""
        if self.usage_failure is not None:
            raise self.usage_failure
        self.ended.append(ended)
        if ended.usage is not None:
            self.usage.append(ended.usage)

    @asynccontextmanager
    async def client(
        self, token: str | None = None, *, mode: str = "auto", opens: ElicitationFnT | None = None
    ) -> AsyncIterator[Client]:
        """The SDK's own client, signed in; one that ``opens`` links declares that it can."""
        headers = {"authorization": f"Bearer {token or self.bearers.issue()}"}
        async with (
            httpx2.AsyncClient(headers=headers, timeout=20) as http,
            Client(
                streamable_http_client(self.url, http_client=http),
                mode=mode,
                elicitation_callback=opens,
            ) as client,
        ):
            yield client

    @asynccontextmanager
    async def http(self, **arguments: Any) -> AsyncIterator[httpx2.AsyncClient]:
        """A plain HTTP client for this host."""
        base = self.url.removesuffix(urlsplit(self.url).path)
        async with httpx2.AsyncClient(
            base_url=base, timeout=20, transport=self.transport, **arguments
        ) as http:
            yield http

    async def post(self, document: Any, token: str | None, **headers: str) -> httpx2.Response:
        """One message in the 2025-11-25 dialect."""
        sent = {
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": "2025-11-25",
            **({"authorization": f"Bearer {token}"} if token else {}),
            **{name.replace("_", "-"): value for name, value in headers.items()},
        }
        async with self.http() as http:
            return await http.post(urlsplit(self.url).path, json=document, headers=sent)


def tool_call(name: str, arguments: dict[str, Any] | None = None, **meta: Any) -> dict[str, Any]:
    """A ``tools/call`` message."""
    params: dict[str, Any] = {"name": name, "arguments": arguments or {}}
    if meta:
        params["_meta"] = meta
    return {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}


@asynccontextmanager
async def an_endpoint(
    *,
    served: bool = False,
    remaining: Callable[[], float] = remaining_seconds,
    calls_at_once_max: int | None = None,
    recent_seconds: int = 0,
) -> AsyncIterator[Endpoint]:
    """The app over in-memory pieces: called directly, or ``served`` on loopback."""
    if not served:
        endpoint = build(
            "http://127.0.0.1:8000/mcp",
            remaining=remaining,
            calls_at_once_max=calls_at_once_max,
            recent_seconds=recent_seconds,
        )
        endpoint.transport = httpx2.ASGITransport(endpoint.app, raise_app_exceptions=False)
        async with endpoint.protocol.running():
            yield endpoint
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        mcp_url = f"http://127.0.0.1:{listener.getsockname()[1]}/mcp"
        endpoint = build(mcp_url, remaining=remaining)
        async with serving(endpoint.app, listener):
            yield endpoint


def build(
    mcp_url: str,
    *,
    remaining: Callable[[], float] = remaining_seconds,
    calls_at_once_max: int | None = None,
    recent_seconds: int = 0,
) -> Endpoint:
    """The app over in-memory pieces, not served yet."""
    site, bearers, lists = Site(), Bearers(mcp_url), Lists()
    requests = SiteRequests(site, remaining_seconds=remaining, timeout_seconds=8.0)
    copies = Copies()
    kept = KeptSearches(copies, recent_seconds=recent_seconds)
    content = ContentTools(requests, site, shown=ShownContent(copies), kept=kept)
    catalogue = build_catalogue(content)
    site_catalogue = SiteCatalogue(requests=requests, site=site, lists=lists, rules=RULES)
    runner = SiteToolRunner(requests, site, base_url="https://site.example.org")
    toolbox = Toolbox(catalogue, site_catalogue, runner)
    abilities = Abilities()
    links = AccountLinks(issuer=ISSUER, site_name="Example", abilities=abilities)
    pages = PersonPages(account=links.url, membership=MEMBERSHIP_URL)
    offer = Offer(
        toolbox=toolbox,
        calls=ToolCalls(toolbox, links=links, pages=pages, remaining_seconds=remaining),
        resources=Resources(content, pages=pages, remaining_seconds=remaining),
        prompts=build_prompts(),
    )

    async def close_call(ended: EndedCall) -> None:
        await endpoint.close_call(ended)

    parts = ExchangeParts(
        body_bytes_max=100_000,
        bearer=BearerCheck(find_call=bearers.find, resource=mcp_url),
        challenges=Challenges(resource=mcp_url, scopes_offered=SCOPES_OFFERED),
        permissions=Permissions(toolbox, offer.resources, offer.prompts),
        protocol=McpProtocol(
            build_server(offer, release="1.2.3", site_name="Example"),
            mcp_url=mcp_url,
            body_bytes_max=100_000,
        ),
        links=links,
        admission=AdmissionRules(
            catalogue, resource=mcp_url, calls_in_flight_max=5, remaining_seconds=remaining
        ),
        turns=Turns(calls_at_once_max),
        close_call=close_call,
    )
    endpoint = Endpoint(
        url=mcp_url,
        bearers=bearers,
        site=site,
        app=McpEndpoint(parts, issuer_url=ISSUER, mcp_url=mcp_url, readiness=a_readiness),
        catalogue=catalogue,
        site_catalogue=site_catalogue,
        lists=lists,
        copies=copies,
        abilities=abilities,
        protocol=parts.protocol,
    )
    return endpoint
