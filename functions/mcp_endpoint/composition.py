"""Plugs the real adapters together for the composition root; opens no connection itself."""

from dataclasses import dataclass, replace

from functions.mcp_endpoint.account_link import AccountLinks
from functions.mcp_endpoint.admission import AdmissionRules, Turns
from functions.mcp_endpoint.answers import (
    AsgiApp,
    Receive,
    Scope,
    Send,
    common_headers,
    plain_error,
    send_answer,
    with_common_headers,
)
from functions.mcp_endpoint.app import McpEndpoint
from functions.mcp_endpoint.bearer import BearerCheck, Challenges
from functions.mcp_endpoint.exchange import ExchangeParts
from functions.mcp_endpoint.mcp_server import McpProtocol, Offer, build_server
from functions.mcp_endpoint.network_notes import NetworkNotes
from functions.mcp_endpoint.permissions import Permissions
from functions.mcp_endpoint.prompts import build_prompts
from functions.mcp_endpoint.resources import Resources
from functions.mcp_endpoint.search_notes import SearchNotes
from functions.mcp_endpoint.shown_notes import ShownNotes
from functions.mcp_endpoint.site_catalogue import SiteCatalogue
from functions.mcp_endpoint.tool_calls import ToolCalls
from functions.mcp_endpoint.tool_errors import PersonPages
from functions.mcp_endpoint.toolbox import NoSiteTools, Toolbox
from functions.mcp_endpoint.tools.catalogue import ToolCatalogue, build_catalogue
from functions.mcp_endpoint.tools.content_tools import ContentTools
from functions.mcp_endpoint.tools.kept_searches import KeptSearches
from functions.mcp_endpoint.tools.shown_content import ShownContent
from functions.mcp_endpoint.tools.site_listing import ListingRules
from functions.mcp_endpoint.tools.site_requests import Caller, SiteRequests
from functions.mcp_endpoint.tools.site_tools import SiteToolRunner
from functions.mcp_endpoint.verified_calls import VerifiedCalls
from functions.mcp_endpoint.waiting import ANSWER_MARGIN_SECONDS
from shared.assembly import (
    OpenedAdapters,
    OpenedNets,
    OpenedReadiness,
    limits_of,
    oauth_of,
    opened_adapters,
    opened_nets,
    readiness_of,
    site_of,
)
from shared.circuit.guard import CircuitGuard
from shared.circuit.watches import rpc_watch
from shared.domain.caller_addresses import ToldAddresses
from shared.domain.circuits import Dependency
from shared.domain.identifiers import SessionId, UserId
from shared.domain.scopes import offered_scopes
from shared.domain.site_tools import SiteToolList
from shared.domain.tokens import TokenHash
from shared.errors.base import ServiceError
from shared.lambda_stream.asgi import StreamingAsgiHandler
from shared.observability import memory_pressure
from shared.observability.request_context import remaining_seconds
from shared.settings import McpEndpointFunctionSettings
from shared.state import calls, session_abilities, tool_catalogue
from shared.state.calls import Admission, CallRecord, EndedCall
from shared.state.database import Database
from shared.upstream.drupal_content import DrupalContent
from shared.upstream.drupal_rpc import RPC_PATH, DrupalRpc
from shared.upstream.drupal_tools import DrupalTools
from shared.workflows.call_upstream import UpstreamCaller
from shared.workflows.refresh_grant import GrantRefresher

LISTING_SECONDS_MAX = 5.0
"""A list of tools opens a conversation: nobody waits for the site's part of it any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Parts:
    """The app, and what must be forgotten after a restore."""

    app: McpEndpoint
    serve: StreamingAsgiHandler
    opened: OpenedAdapters
    nets: OpenedNets
    rpc: DrupalRpc
    readiness: OpenedReadiness
    site_catalogue: SiteCatalogue
    verified: VerifiedCalls

    def forget(self) -> None:
        """Drop connections, opened keys, and what was known about people."""
        self.opened.forget()
        self.nets.forget()
        self.rpc.drop_connections()
        self.readiness.forget()
        self.site_catalogue.forget()
        self.verified.forget()

    async def close(self) -> None:
        """Close every connection, where a process ends in good order."""
        await self.rpc.close()
        await self.readiness.probe.close()
        await self.opened.close()
        self.nets.forget()


def compose(settings: McpEndpointFunctionSettings) -> Parts:
    """Build every adapter from ``settings``, and the app over them."""
    opened = opened_adapters(settings)
    site, limits = site_of(settings), limits_of(settings)
    circuits = opened.circuits
    rpc = DrupalRpc(
        site,
        limits=limits,
        watch=rpc_watch(circuits, search_method=settings.drupal_search_method),
    )
    nets = opened_nets(settings)
    readiness = readiness_of(settings, opened, dependency=Dependency.DRUPAL_RPC, path=RPC_PATH)
    refresher = GrantRefresher(
        opened.database,
        opened.vault,
        oauth_of(settings, circuits),
        nets=nets.safety_nets,
        circuits=circuits,
    )
    caller = UpstreamCaller(opened.database, opened.vault, refresher, circuits=circuits)
    requests = SiteRequests(
        caller,
        remaining_seconds=remaining_seconds,
        timeout_seconds=settings.drupal_rpc_timeout_seconds,
    )
    notes = ShownNotes(opened.database)
    searches = SearchNotes(opened.database, recent_seconds=settings.search_recent_seconds)
    content = _content_tools(settings, requests, rpc, notes=notes, searches=searches)
    offered = offered_scopes(site_tools=settings.site_tools_enabled)
    own = build_catalogue(content, scopes_offered=offered)
    tools = DrupalTools(rpc)
    site_catalogue = _site_catalogue(settings, own, tools, caller=caller, database=opened.database)
    memory_pressure.on_pressure(site_catalogue.forget)
    toolbox = Toolbox(
        own,
        site_catalogue if settings.site_tools_enabled else NoSiteTools(),
        SiteToolRunner(requests, tools, base_url=settings.drupal_base_url),
    )
    links = AccountLinks(
        issuer=settings.issuer_url,
        site_name=settings.site_name,
        abilities=AbilitiesTable(opened.database),
    )
    pages = PersonPages(account=links.url, membership=settings.membership_url)
    offer = Offer(
        toolbox=toolbox,
        calls=ToolCalls(toolbox, links=links, pages=pages, remaining_seconds=remaining_seconds),
        resources=Resources(content, pages=pages, remaining_seconds=remaining_seconds),
        prompts=build_prompts(),
    )
    table = CallsTable(opened.database, circuits, notes, searches)
    networks = NetworkNotes(opened.database, ToldAddresses(settings.origin_secrets()))
    memory_pressure.on_pressure(table.verified.forget)
    memory_pressure.on_pressure(notes.clear)
    memory_pressure.on_pressure(searches.clear)
    memory_pressure.on_pressure(networks.clear)
    parts = replace(_exchange_parts(settings, offer, table, links), note_network=networks.note)
    app = McpEndpoint(
        parts,
        issuer_url=settings.issuer_url,
        mcp_url=settings.mcp_url,
        readiness=readiness.check.report,
        registration=settings.dynamic_registration_enabled,
        scopes_offered=offered,
    )
    return Parts(
        app=app,
        serve=StreamingAsgiHandler(
            app, headers=common_headers(https=settings.mcp_url.startswith("https:"))
        ),
        opened=opened,
        nets=nets,
        rpc=rpc,
        readiness=readiness,
        site_catalogue=site_catalogue,
        verified=table.verified,
    )


def refusing(error: ServiceError, *, https: bool) -> AsgiApp:
    """An app for the time in which the real one cannot be put together."""

    async def refuse(_scope: Scope, _receive: Receive, send: Send) -> None:
        common = common_headers(https=https)
        await send_answer(plain_error(error), with_common_headers(send, common=common))

    return refuse


class CallsTable:
    """The two statements of a call, each in a transaction of its own."""

    def __init__(
        self,
        database: Database,
        circuits: CircuitGuard,
        notes: ShownNotes,
        searches: SearchNotes,
    ) -> None:
        self._database = database
        self._notes = notes
        self._searches = searches
        self._circuits = circuits
        self.verified = VerifiedCalls(self.find)

    async def find(self, token_hash: TokenHash, admission: Admission | None) -> CallRecord | None:
        """All that is known about a bearer; lets the call in, where it asks for it.

        The fleet's circuits come with it.
        """
        async with self._database.autocommit() as tx:
            found = await calls.authenticate(tx, token_hash, admission)
        if found is not None:
            self._circuits.hear(found.circuits)
        return found

    async def close(self, ended: EndedCall) -> None:
        """Write the usage row, free the slot, note what was shown."""
        async with self._database.autocommit() as tx:
            await calls.close(tx, ended)
        if ended.shown is not None:
            await self._notes.note(ended.user_id, ended.shown)
        if ended.found is not None:
            await self._searches.note(ended.user_id, ended.found)

    async def settle(self) -> None:
        """Wait for what is still being told of the call's circuits."""
        await self._circuits.settle()


class AbilitiesTable:
    """What clients said of themselves, each statement in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def remember(self, session_id: SessionId, *, url_elicitation: bool) -> None:
        """Keep what the client of this session said last."""
        async with self._database.autocommit() as tx:
            await session_abilities.remember(tx, session_id, url_elicitation=url_elicitation)

    async def url_elicitation(self, session_id: SessionId) -> bool:
        """Whether it can show a person a link."""
        async with self._database.autocommit() as tx:
            return await session_abilities.has_url_elicitation(tx, session_id)


class ToolListsTable:
    """The lists of the site's tools, each statement in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: UserId) -> SiteToolList | None:
        """The person's list, however old."""
        async with self._database.autocommit() as tx:
            return await tool_catalogue.find(tx, user_id)

    async def store(self, user_id: UserId, listed: SiteToolList) -> None:
        """Keep ``listed`` as of now."""
        async with self._database.autocommit() as tx:
            await tool_catalogue.store(tx, user_id, listed)


def _exchange_parts(
    settings: McpEndpointFunctionSettings, offer: Offer, table: CallsTable, links: AccountLinks
) -> ExchangeParts:
    offered = offered_scopes(site_tools=settings.site_tools_enabled)
    return ExchangeParts(
        body_bytes_max=settings.request_body_bytes_max,
        bearer=BearerCheck(
            find_call=table.verified.find, resource=settings.mcp_url, scopes_offered=offered
        ),
        challenges=Challenges(resource=settings.mcp_url, scopes_offered=offered),
        permissions=Permissions(offer.toolbox, offer.resources, offer.prompts),
        protocol=McpProtocol(
            build_server(offer, release=settings.release, site_name=settings.site_name),
            mcp_url=settings.mcp_url,
            body_bytes_max=settings.request_body_bytes_max,
        ),
        links=links,
        admission=AdmissionRules(
            offer.toolbox.own,
            resource=settings.mcp_url,
            calls_in_flight_max=settings.calls_in_flight_max,
            limit_factor=settings.call_limits_factor,
            remaining_seconds=remaining_seconds,
        ),
        turns=Turns(settings.calls_at_once_max),
        close_call=table.close,
        settle=table.settle,
    )


def _content_tools(
    settings: McpEndpointFunctionSettings,
    requests: SiteRequests,
    rpc: DrupalRpc,
    *,
    notes: ShownNotes,
    searches: SearchNotes,
) -> ContentTools:
    content = DrupalContent(
        rpc,
        search_method=settings.drupal_search_method,
        read_method=settings.drupal_read_method,
    )
    kept = KeptSearches(searches, recent_seconds=settings.search_recent_seconds)
    return ContentTools(requests, content, shown=ShownContent(notes), kept=kept)


def _site_catalogue(
    settings: McpEndpointFunctionSettings,
    own: ToolCatalogue,
    tools: DrupalTools,
    *,
    caller: Caller,
    database: Database,
) -> SiteCatalogue:
    return SiteCatalogue(
        requests=SiteRequests(
            caller,
            remaining_seconds=lambda: remaining_seconds() - ANSWER_MARGIN_SECONDS,
            timeout_seconds=LISTING_SECONDS_MAX,
        ),
        site=tools,
        lists=ToolListsTable(database),
        rules=ListingRules(
            own_names=own.names,
            wrapped_methods=frozenset({settings.drupal_search_method, settings.drupal_read_method}),
            site_scopes=frozenset(settings.drupal_scopes),
        ),
    )
